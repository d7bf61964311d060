//! How what stands in messages is described where serde alone does not say it: as strictly as it is read.

use std::borrow::Cow;

use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, Object, Schema, SchemaType, Type};
use utoipa::openapi::{ObjectBuilder, OneOfBuilder, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::Base64;
use crate::digest::Sha256Digest;
use crate::limits::{ProposalLimits, RecipeLimits};
use crate::proposal::Role;
use crate::recipe::{Lane, RecipePath, Slug};
use crate::sampling::BasisPoints;
use crate::tuf::Person;
use crate::tuf::threshold::Signature;

const RECIPE_PATH: &str = r"^(?:emergency|routine)/[a-z0-9][a-z0-9-]{0,63}\.json$";

/// A schema of its own, named in the document.
macro_rules! described {
    ($($type:ty, $name:literal: $schema:expr;)*) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                $schema.into()
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed($name)
            }
        }
    )*};
}

/// The first digits of an id.
#[derive(Debug)]
pub struct IdPrefix;

/// Why somebody does something: one line.
pub(crate) struct Reason;

/// Any number that fits into 64 bits.
pub(crate) struct Number;

/// The events that a request undoes: a list, or the number of the only one.
pub(crate) struct Events;

/// Slugs, each once.
pub(crate) struct Slugs;

/// Bytes of recipes by path.
pub(crate) struct Recipes;

/// Metadata by the role that people sign it for.
pub(crate) struct Parts;

described! {
    Base64, "Base64": text(concat!(
        "^(?:[A-Za-z0-9+/]{4})*",
        "(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$",
    )).description(Some("Bytes as standard Base64 (RFC 4648 section 4), with padding."));
    Sha256Digest, "Sha256": text("^[0-9a-f]{64}$");
    Lane, "Lane": ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(Lane::ALL.map(Lane::as_str)))
        .description(Some("Which group of people must sign."));
    Slug, "Slug": text("^[a-z0-9][a-z0-9-]{0,63}$").description(Some("A recipe's name."));
    RecipePath, "RecipePath": text(RECIPE_PATH)
        .description(Some("Where a recipe is published."));
    Person, "Person": text("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$").description(Some("A person's name."));
    IdPrefix, "IdPrefix": text("^[0-9a-f]{6,64}$")
        .description(Some("The first 6 or more hexadecimal digits of an id, in small letters."));
    BasisPoints, "BasisPoints": integer()
        .maximum(Some(BasisPoints::EVERYONE.get()))
        .description(Some("Hundredths of a percent: 10000 is everyone."));
    Number, "Number": number();
    Events, "Events": OneOfBuilder::new()
        .item(number())
        .item(ArrayBuilder::new().items(number()))
        .description(Some("Numbers of events in the ledger."));
    Slugs, "Slugs": ArrayBuilder::new()
        .items(Ref::from_schema_name("Slug"))
        .unique_items(true);
    Recipes, "Recipes": by(text(RECIPE_PATH));
    Parts, "Parts": by(text_of_any_kind().enum_values(Some(Role::PEOPLE.map(Role::as_str)))).min_properties(Some(1));
    Reason, "Reason": text(r"\S")
        .min_length(Some(1))
        .max_length(Some(ProposalLimits::default().reason.min(RecipeLimits::default().reason)))
        .description(Some("One line for people: at most 500 bytes, and only characters that show."));
    Signature, "Signature": ObjectBuilder::new()
        .property("keyid", text_of_any_kind())
        .required("keyid")
        .property("sig", text_of_any_kind().description(Some("The signature in hexadecimal digits.")))
        .required("sig")
        .additional_properties(Some(AdditionalProperties::RefOr(whole_values().into())));
}

fn text(pattern: &str) -> ObjectBuilder {
    text_of_any_kind().pattern(Some(pattern))
}

fn text_of_any_kind() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0_u16))
}

fn number() -> ObjectBuilder {
    integer().maximum(Some(u64::MAX))
}

/// An object of Base64 texts, by names of this kind.
fn by(names: ObjectBuilder) -> ObjectBuilder {
    let bytes = Ref::from_schema_name("Base64").into();
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property_names(Some(names))
        .additional_properties(Some(AdditionalProperties::RefOr(bytes)))
}

/// What a signed document holds: no fractions.
fn whole_values() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Boolean, Type::Null]))
        .description(Some("Attributes that we do not know."))
        .build()
}
