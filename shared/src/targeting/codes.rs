//! The two-letter codes of countries and languages, and what is often written in their place.

/// ISO 3166-1 alpha-2, and `XK`, which is in wide use for Kosovo.
const COUNTRIES: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD \
CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF \
GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN \
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI \
SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI \
VN VU WF WS XK YE YT ZA ZM ZW";

/// ISO 639-1, without the codes that were withdrawn.
const LANGUAGES: &str = "\
aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et \
eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk \
kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny \
oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk \
tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// A country's usual other name, and its code.
const OTHER_COUNTRIES: [(&str, &str); 3] = [("UK", "GB"), ("EN", "GB"), ("EL", "GR")];

/// A country's code, or a withdrawn one, in the place of a language's.
const OTHER_LANGUAGES: [(&str, &str); 14] = [
    ("jp", "ja"),
    ("cn", "zh"),
    ("cz", "cs"),
    ("dk", "da"),
    ("gr", "el"),
    ("ua", "uk"),
    ("vn", "vi"),
    ("us", "en"),
    ("gb", "en"),
    ("by", "be"),
    ("iw", "he"),
    ("in", "id"),
    ("ji", "yi"),
    ("mo", "ro"),
];

/// Whether there is a country with this code, in capital letters.
pub(super) fn is_country(code: &str) -> bool {
    listed(COUNTRIES, code)
}

/// Whether there is a language with this code of two small letters.
pub(super) fn is_language(code: &str) -> bool {
    listed(LANGUAGES, code)
}

/// The country that `word`, which is no country's code, was probably meant to name.
pub(super) fn meant_country(word: &str) -> Option<&'static str> {
    let code = word.trim().to_uppercase();
    named(&OTHER_COUNTRIES, &code).or_else(|| COUNTRIES.split(' ').find(|known| *known == code))
}

/// The language that `code`, which is no language's, was probably meant to name.
pub(super) fn meant_language(code: &str) -> Option<&'static str> {
    named(&OTHER_LANGUAGES, code)
}

fn listed(codes: &str, code: &str) -> bool {
    codes.split(' ').any(|known| known == code)
}

fn named(others: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    others.iter().find(|(other, _)| *other == word).map(|(_, code)| *code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_whole_and_no_other_name_is_in_them() {
        let sorted = |codes: &str, count: usize, shape: fn(u8) -> bool| {
            let codes: Vec<_> = codes.split(' ').collect();
            assert!(codes.is_sorted() && codes.windows(2).all(|two| two[0] != two[1]));
            assert!(codes.iter().all(|code| code.len() == 2 && code.bytes().all(shape)));
            assert_eq!(codes.len(), count);
        };
        sorted(COUNTRIES, 250, |byte| byte.is_ascii_uppercase());
        sorted(LANGUAGES, 183, |byte| byte.is_ascii_lowercase());
        assert!(OTHER_COUNTRIES.iter().all(|(other, code)| !is_country(other) && is_country(code)));
        assert!(OTHER_LANGUAGES.iter().all(|(other, code)| !is_language(other) && is_language(code)));
    }
}
