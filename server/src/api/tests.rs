use std::sync::Arc;

use actix_web::App;
use actix_web::body::MessageBody;
use actix_web::dev::ServiceResponse;
use actix_web::http::{ConnectionType, Method, StatusCode, header};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::web::Data;
use mulberry_shared::operators::{
    DropRequest, DropResponse, GateResponse, GateState, Problem, ProblemKind, ProposalRequest,
    ProposalResponse, ProposalsResponse, ProposeResponse, PublishRequest, PublishResponse, Scope,
    SignatureRequest, StatusResponse,
};
use mulberry_shared::proposal::{Document, Role};
use mulberry_shared::recipe::Lane;
use serde::de::DeserializeOwned;

use crate::live::Admission;
use crate::services::Core;
use crate::store::memory::MemoryStore;
use crate::test_support::{Parts, Proposal, gate, hours, start};
use crate::tokens::{self, LiveTokens};

struct Lab {
    core: Arc<Core>,
    parts: Parts<MemoryStore>,
    folder: tempfile::TempDir,
    admission: Admission,
}

impl Lab {
    async fn new() -> Self {
        let parts = Parts::initialised(MemoryStore::new()).await;
        let core = parts.open().await.unwrap();
        let (folder, admission) = (tempfile::tempdir().unwrap(), Admission::for_connections(2));
        Self { core, parts, folder, admission }
    }

    fn token(&self, name: &str, may: &[Scope]) -> String {
        let text =
            crate::test_support::add_token(&self.folder.path().join("tokens.json"), name, may, start())
                .unwrap();
        format!("Bearer {text}")
    }

    async fn public(&self, request: TestRequest) -> ServiceResponse<impl MessageBody> {
        let app = App::new()
            .app_data(Data::from(self.core.clone()))
            .app_data(Data::new(self.admission.clone()))
            .wrap_fn(super::observe)
            .configure(super::public::configure);
        call_service(&init_service(app).await, request.to_request()).await
    }

    async fn operators(&self, request: TestRequest) -> ServiceResponse<impl MessageBody> {
        let app = App::new()
            .app_data(Data::from(self.core.clone()))
            .app_data(Data::new(LiveTokens::at(self.folder.path().join("tokens.json"))))
            .wrap_fn(super::observe)
            .configure(super::routes::configure);
        call_service(&init_service(app).await, request.to_request()).await
    }

    fn proposal(&self, revision: u64) -> Proposal {
        Proposal::new(&self.core.served().state, Lane::Emergency, &[("emergency/a.json", revision)], &[])
    }

    async fn publish(&self, token: &str) {
        let request = TestRequest::post().uri("/api/v1/lanes/emergency").set_json(self.proposal(1).request());
        let answer = self.operators(request.insert_header((header::AUTHORIZATION, token))).await;
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

fn text(answer: &ServiceResponse<impl MessageBody>, name: header::HeaderName) -> &str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn body<T: DeserializeOwned>(answer: ServiceResponse<impl MessageBody>) -> T {
    serde_json::from_slice(&read_body(answer).await).unwrap()
}

/// Reads a problem document and checks what all of them have in common.
async fn problem(answer: ServiceResponse<impl MessageBody>) -> (u16, ProblemKind) {
    assert_eq!(text(&answer, header::CONTENT_TYPE), "application/problem+json");
    assert_eq!(text(&answer, header::CACHE_CONTROL), "no-store");
    let status = answer.status().as_u16();
    let problem: Problem = body(answer).await;
    assert_eq!(problem.status, status);
    let kind = serde_json::to_string(&problem.kind).unwrap();
    assert_eq!(format!("\"{}\"", problem.type_uri.strip_prefix("urn:mulberry:problem:").unwrap()), kind);
    assert!(!problem.detail.is_empty() && !problem.remedy.is_empty() && !problem.title.is_empty());
    (status, problem.kind)
}

#[actix_web::test]
async fn files_have_strong_tags_and_say_how_long_they_keep() {
    let lab = Lab::new().await;
    for (path, caching) in [
        ("/metadata/timestamp.json", "public, max-age=5"),
        ("/metadata/1.root.json", "public, max-age=31536000, immutable"),
        ("/metadata/1.emergency.json", "public, max-age=31536000, immutable"),
    ] {
        let answer = lab.public(TestRequest::get().uri(path)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(text(&answer, header::CACHE_CONTROL), caching);
        assert_eq!(text(&answer, header::CONTENT_TYPE), "application/json");
        let tag = text(&answer, header::ETAG).to_owned();
        assert!(tag.starts_with('"') && tag.len() == 66, "{tag}");
        let bytes = read_body(answer).await;
        assert_eq!(bytes.as_ref(), lab.core.served().file(&path[1..]).unwrap().body.as_ref());

        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let request = TestRequest::get().uri(path).insert_header((header::IF_NONE_MATCH, known));
            let answer = lab.public(request).await;
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(text(&answer, header::ETAG), tag);
            assert_eq!(text(&answer, header::CACHE_CONTROL), caching);
            assert!(read_body(answer).await.is_empty());
        }
        for other in ["\"x\"", "", &tag[1..]] {
            let request = TestRequest::get().uri(path).insert_header((header::IF_NONE_MATCH, other));
            assert_eq!(lab.public(request).await.status(), StatusCode::OK);
        }
        let answer = lab.public(TestRequest::default().method(Method::HEAD).uri(path)).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(text(&answer, header::ETAG), tag);
    }
}

#[actix_web::test]
async fn every_error_of_the_public_listener_is_a_problem_document_but_absent_files() {
    let lab = Lab::new().await;
    for (path, caching) in [
        // Asked for on a chance, at every refresh.
        ("/metadata/2.root.json", "public, max-age=60"),
        ("/ledger/none/0.json", "public, max-age=60"),
        ("/metadata/2.snapshot.json", "no-store"),
        ("/metadata/", "no-store"),
        ("/targets/../metadata/2.root.json", "no-store"),
    ] {
        let answer = lab.public(TestRequest::get().uri(path)).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(text(&answer, header::CACHE_CONTROL), caching, "{path}");
        assert!(read_body(answer).await.is_empty());
    }
    for path in ["/", "/api/v1/status"] {
        assert_eq!(
            problem(lab.public(TestRequest::get().uri(path)).await).await,
            (404, ProblemKind::NotFound)
        );
    }
    let request = TestRequest::post().uri("/metadata/timestamp.json");
    assert_eq!(problem(lab.public(request).await).await, (405, ProblemKind::MethodNotAllowed));
}

#[actix_web::test]
async fn the_heartbeat_fails_when_metadata_is_due_and_the_balancer_s_does_not() {
    let lab = Lab::new().await;
    for path in ["/__heartbeat__", "/__lbheartbeat__", "/__version__"] {
        assert_eq!(lab.public(TestRequest::get().uri(path)).await.status(), StatusCode::OK, "{path}");
    }
    // Nobody signs again for half a day: the timestamp lives for one.
    lab.parts.clock.advance(hours(12));
    let answer = lab.public(TestRequest::get().uri("/__heartbeat__")).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let told: serde_json::Value = body(answer).await;
    assert!(told["troubles"][0].as_str().unwrap().starts_with("timestamp version"), "{told}");
    assert_eq!(lab.public(TestRequest::get().uri("/__lbheartbeat__")).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn a_token_is_needed_and_must_cover_what_is_asked() {
    let lab = Lab::new().await;
    let reader = lab.token("reader", &[Scope::Read]);
    let gates = lab.token("gates", &[Scope::Gate]);
    let publisher = lab.token("publisher", &[Scope::Publish]);
    let publish = || TestRequest::post().uri("/api/v1/lanes/emergency").set_json(lab.proposal(1).request());
    let set =
        || TestRequest::put().uri("/api/v1/gates/emergency/a").set_json(gate(1, GateState::Open, Some(100)));
    let status = || TestRequest::get().uri("/api/v1/status");
    let with = |request: TestRequest, token: &str| request.insert_header((header::AUTHORIZATION, token));

    for request in [publish(), set(), status()] {
        let answer = lab.operators(request).await;
        assert!(text(&answer, header::WWW_AUTHENTICATE).starts_with("Bearer"));
        assert_eq!(problem(answer).await, (401, ProblemKind::Unauthenticated));
    }
    for token in ["", "Bearer", "Bearer ", "Bearer nonsense", "Basic bWVpOng=", &reader[7..]] {
        let answer = lab.operators(with(status(), token)).await;
        assert_eq!(problem(answer).await, (401, ProblemKind::Unauthenticated), "{token:?}");
    }
    for request in
        [with(publish(), &reader), with(publish(), &gates), with(set(), &reader), with(set(), &publisher)]
    {
        assert_eq!(problem(lab.operators(request).await).await, (403, ProblemKind::Forbidden));
    }
    assert!(lab.core.served().state.recipes().next().is_none());
    for (token, name) in [(&reader, "reader"), (&gates, "gates"), (&publisher, "publisher")] {
        let answer = lab.operators(with(status(), token)).await;
        assert_eq!(text(&answer, header::CACHE_CONTROL), "no-store");
        let (asked_by, asked_by_person) = (Some(name.to_owned()), Some(name.parse().unwrap()));
        let expected = StatusResponse { asked_by, asked_by_person, ..lab.core.status() };
        assert_eq!(body::<StatusResponse>(answer).await, expected);
    }
    tokens::revoke(&lab.folder.path().join("tokens.json"), "publisher", start()).unwrap();
    let answer = lab.operators(with(publish(), &publisher)).await;
    assert_eq!(problem(answer).await, (401, ProblemKind::Unauthenticated));
}

#[actix_web::test]
async fn publishing_and_opening_reach_the_public_listener() {
    let lab = Lab::new().await;
    let mei = lab.token("mei", &[Scope::Publish, Scope::Gate]);
    let before = lab.core.served().edition.number();
    let request = TestRequest::post().uri("/api/v1/lanes/emergency").set_json(lab.proposal(1).request());
    let answer = lab.operators(request.insert_header((header::AUTHORIZATION, mei.as_str()))).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let published: PublishResponse = body(answer).await;
    assert!(published.edition > before);
    assert_eq!(published.recipes[0].effective_percent, 0, "published closed");
    let at = format!("/targets/emergency/{}.a.json", published.recipes[0].sha256);
    assert_eq!(lab.public(TestRequest::get().uri(&at)).await.status(), StatusCode::OK);

    let request =
        TestRequest::put().uri("/api/v1/gates/emergency/a").set_json(gate(1, GateState::Open, Some(2_500)));
    let answer = lab.operators(request.insert_header((header::AUTHORIZATION, mei.as_str()))).await;
    let opened: GateResponse = body(answer).await;
    assert_eq!((opened.recipe.effective_percent, opened.ledger.sequence), (2_500, 3));
    let actor = crate::event::Record::from_bytes(&lab.parts.store.records()[2][32..]).unwrap().actor;
    assert_eq!(actor, crate::test_support::actor("mei"));
    let at = format!("/metadata/{}.snapshot.json", opened.edition);
    assert_eq!(lab.public(TestRequest::get().uri(&at)).await.status(), StatusCode::OK);
}

#[actix_web::test]
async fn refused_and_malformed_requests_are_problem_documents_and_change_nothing() {
    let lab = Lab::new().await;
    let mei = lab.token("mei", &[Scope::Publish, Scope::Gate]);
    lab.publish(&mei).await;
    let head = lab.core.status().ledger;
    let lane = || TestRequest::post().uri("/api/v1/lanes/emergency");
    let gate_of = |slug: &str| TestRequest::put().uri(&format!("/api/v1/gates/emergency/{slug}"));
    let mut thin = lab.proposal(2);
    thin.keys = vec![21];
    let mut bare = lab.proposal(2);
    bare.recipes.clear();
    let mut skipping = lab.proposal(2);
    skipping.body.version += 1;
    let duplicated = r#"{"metadata":"","metadata":"","recipes":{}}"#;
    let open = gate(1, GateState::Open, Some(100));
    for (request, status, kind) in [
        (lane().set_payload("{"), 400, ProblemKind::MalformedRequest),
        (lane().set_payload("[".repeat(100_000)), 400, ProblemKind::MalformedRequest),
        (lane().set_payload(duplicated), 400, ProblemKind::MalformedRequest),
        (lane().set_payload(vec![0xff_u8; 10]), 400, ProblemKind::MalformedRequest),
        (lane().set_payload(vec![b' '; (24 << 20) + 1]), 413, ProblemKind::TooLarge),
        (lane().set_json(thin.request()), 422, ProblemKind::TrustRefused),
        (lane().set_json(bare.request()), 422, ProblemKind::RecipeRefused),
        (lane().set_json(skipping.request()), 409, ProblemKind::NotNewer),
        (TestRequest::post().uri("/api/v1/lanes/none").set_json(thin.request()), 404, ProblemKind::NotFound),
        (TestRequest::get().uri("/api/v1/lanes/emergency"), 405, ProblemKind::MethodNotAllowed),
        (gate_of("b").set_json(&open), 404, ProblemKind::UnknownRecipe),
        (gate_of("%00").set_json(&open), 404, ProblemKind::NotFound),
        (gate_of("a").set_json(gate(9, GateState::Open, Some(1))), 409, ProblemKind::RevisionMismatch),
        (gate_of("a").set_json(gate(1, GateState::Open, None)), 422, ProblemKind::GateRefused),
        (TestRequest::get().uri("/api/v1/nothing"), 404, ProblemKind::NotFound),
    ] {
        let answer = lab.operators(request.insert_header((header::AUTHORIZATION, mei.as_str()))).await;
        assert_eq!(problem(answer).await, (status, kind));
        assert_eq!(lab.core.status().ledger, head);
    }
}

#[actix_web::test]
async fn proposals_are_made_listed_signed_and_given_up_over_http() {
    let lab = Lab::new().await;
    let (mei, reader) = (lab.token("mei", &[Scope::Publish]), lab.token("reader", &[Scope::Read]));
    let with = |request: TestRequest, token: &str| request.insert_header((header::AUTHORIZATION, token));
    let mut made = lab.proposal(1);
    made.keys = vec![21];
    let PublishRequest { metadata, recipes, withdraw } = made.request();
    let proposal = Document {
        format: 1,
        role: Role::Emergency,
        metadata,
        recipes,
        withdraw,
        failed_preflights: vec![],
        base: None,
    };
    let ask = || {
        let request = ProposalRequest { proposal: proposal.clone(), replaces: None };
        TestRequest::post().uri("/api/v1/proposals").set_json(request)
    };
    assert_eq!(problem(lab.operators(with(ask(), &reader)).await).await, (403, ProblemKind::Forbidden));
    let answer: ProposeResponse = body(lab.operators(with(ask(), &mei)).await).await;
    let id = answer.id.to_string();
    assert_eq!(answer.proposal.unwrap().by, "mei");
    let get = |path: &str| with(TestRequest::get().uri(path), &reader);
    let listed: ProposalsResponse = body(lab.operators(get("/api/v1/proposals")).await).await;
    let at = format!("/api/v1/proposals/{}", &id[..12]);
    let shown: ProposalResponse = body(lab.operators(get(&at)).await).await;
    assert_eq!((&listed.proposals[0], shown.proposal.recipes), (&shown.status, proposal.recipes.clone()));
    assert_eq!(body::<StatusResponse>(lab.operators(get("/api/v1/status")).await).await.proposals_waiting, 1);

    let post = |path: String| TestRequest::post().uri(&path);
    let bad = SignatureRequest { keyid: "k".to_owned(), sig: "00".to_owned() };
    let signatures = || post(format!("{at}/signatures")).set_json(&bad);
    let dropping = |id: &str| {
        let reason = DropRequest { reason: "a typo".to_owned() };
        post(format!("/api/v1/proposals/{id}/drop")).set_json(reason)
    };
    for (request, status, kind) in [
        (signatures(), 401, ProblemKind::Unauthenticated),
        (with(signatures(), &reader), 403, ProblemKind::Forbidden),
        (with(signatures(), &mei), 422, ProblemKind::SignatureRefused),
        (with(dropping(&id), &reader), 403, ProblemKind::Forbidden),
        (with(dropping("aaaaaaaaaaaa"), &mei), 404, ProblemKind::UnknownProposal),
        (get("/api/v1/proposals/short"), 404, ProblemKind::UnknownProposal),
        (with(TestRequest::put().uri(&at), &mei), 405, ProblemKind::MethodNotAllowed),
        (
            with(post("/api/v1/proposals".to_owned()).set_payload("{"), &mei),
            400,
            ProblemKind::MalformedRequest,
        ),
    ] {
        assert_eq!(problem(lab.operators(request).await).await, (status, kind));
    }
    let dropped: DropResponse = body(lab.operators(with(dropping(&id), &mei)).await).await;
    assert_eq!(dropped.dropped.id, answer.id);
    assert_eq!(lab.core.status().proposals_waiting, 0);
}

#[actix_web::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let lab = Lab::new().await;
    for (path, allow) in [
        ("/api/v1/status", "GET"),
        ("/api/v1/proposals", "GET, POST"),
        ("/api/v1/gates/emergency/a", "PUT"),
        ("/api/v1/openapi.json", "GET"),
    ] {
        let answer = lab.operators(TestRequest::delete().uri(path)).await;
        assert_eq!(text(&answer, header::ALLOW), allow, "{path}");
    }
    for (path, allow) in
        [("/api/v1/live", "GET"), ("/__heartbeat__", "GET, HEAD"), ("/metadata/timestamp.json", "GET, HEAD")]
    {
        let answer = lab.public(TestRequest::delete().uri(path)).await;
        assert_eq!(text(&answer, header::ALLOW), allow, "{path}");
    }
}

#[actix_web::test]
async fn a_body_where_none_belongs_is_refused_only_where_the_method_is_taken() {
    let lab = Lab::new().await;
    let get = |path: &str| {
        TestRequest::get().uri(path).insert_header((header::CONTENT_LENGTH, "2")).set_payload("{}")
    };
    for (path, expected) in [
        ("/api/v1/status", (400, ProblemKind::MalformedRequest)),
        ("/api/v1/lanes/emergency", (405, ProblemKind::MethodNotAllowed)),
        ("/api/v1/nothing", (404, ProblemKind::NotFound)),
    ] {
        assert_eq!(problem(lab.operators(get(path)).await).await, expected, "{path}");
    }
    for path in ["/api/v1/live", "/__version__", "/metadata/timestamp.json"] {
        let expected = (400, ProblemKind::MalformedRequest);
        assert_eq!(problem(lab.public(get(path)).await).await, expected, "{path}");
    }
}

#[actix_web::test]
async fn the_public_interface_describes_all_that_it_serves() {
    let lab = Lab::new().await;
    let answer = lab.public(TestRequest::get().uri("/api/v1/openapi.json")).await;
    assert_eq!(text(&answer, header::CONTENT_TYPE), "application/json");
    let described: serde_json::Value = body(answer).await;
    let paths = described["paths"].as_object().unwrap();
    for path in ["/api/v1/live", "/__heartbeat__", "/__lbheartbeat__", "/__version__", "/api/v1/openapi.json"]
    {
        assert!(paths.contains_key(path), "{path}");
    }
    let served = lab.core.served();
    for (path, _) in crate::served::documents(&served.state, &served.edition) {
        let parts: Vec<&str> = path.split('/').collect();
        let fits = |described: &&String| {
            let pattern: Vec<&str> = described.trim_start_matches('/').split('/').collect();
            let same = |(one, other): (&&str, &&str)| one == other || one.starts_with('{');
            pattern.len() == parts.len() && pattern.iter().zip(&parts).all(same)
        };
        assert!(paths.keys().any(|described| fits(&described)), "{path}");
    }
}

#[actix_web::test]
async fn the_interface_describes_itself() {
    let lab = Lab::new().await;
    let answer = lab.operators(TestRequest::get().uri("/api/v1/openapi.json")).await;
    let described: serde_json::Value = body(answer).await;
    for (path, method) in [
        ("/api/v1/status", "get"),
        ("/api/v1/lanes/{lane}", "post"),
        ("/api/v1/gates/{lane}/{slug}", "put"),
        ("/api/v1/proposals", "get"),
        ("/api/v1/proposals", "post"),
        ("/api/v1/proposals/{id}", "get"),
        ("/api/v1/proposals/{id}/signatures", "post"),
        ("/api/v1/proposals/{id}/drop", "post"),
    ] {
        assert!(described["paths"][path][method].is_object(), "{path}");
    }
    for message in [
        "PublishRequest",
        "ProposalRequest",
        "Document",
        "GateRequest",
        "StatusResponse",
        "Problem",
        "ProblemKind",
    ] {
        assert!(described["components"]["schemas"][message].is_object(), "{message}");
    }
    assert_eq!(described["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}

#[actix_web::test]
async fn the_live_stream_tells_the_edition_and_is_refused_when_full_or_stopping() {
    let lab = Lab::new().await;
    let live = || TestRequest::get().uri("/api/v1/live");
    let answer = lab.public(live()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(text(&answer, header::CONTENT_TYPE), "text/event-stream");
    assert_eq!(text(&answer, header::CACHE_CONTROL), "no-store");
    let refused = lab.public(live()).await;
    assert_eq!(text(&refused, header::RETRY_AFTER), "60");
    assert_eq!(refused.response().head().connection_type(), ConnectionType::Close, "it would take room");
    assert_eq!(problem(refused).await, (503, ProblemKind::Unavailable));
    assert_eq!(
        lab.public(TestRequest::get().uri("/__lbheartbeat__")).await.status(),
        StatusCode::OK,
        "full of streams, and yet healthy"
    );

    let before = lab.core.served().edition.number();
    let token = lab.token("mei", &[Scope::Publish]);
    lab.publish(&token).await;
    let after = lab.core.served().edition.number();
    lab.core.live().close();
    let told = read_body(answer).await;
    let expected = [before, after].map(mulberry_shared::live::announcement).concat();
    assert_eq!(String::from_utf8_lossy(&told), expected);
    assert_eq!(problem(lab.public(live()).await).await, (503, ProblemKind::Unavailable));
}

#[actix_web::test]
async fn the_ledger_is_exported_to_any_token_and_to_nobody_else() {
    let lab = Lab::new().await;
    let token = lab.token("mei", &[Scope::Publish]);
    lab.publish(&token).await;
    let request = || TestRequest::get().uri("/api/v1/ledger");
    assert_eq!(problem(lab.operators(request()).await).await, (401, ProblemKind::Unauthenticated));
    let reader = lab.token("backup", &[Scope::Read]);
    let answer = lab.operators(request().insert_header((header::AUTHORIZATION, reader))).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(text(&answer, header::CONTENT_TYPE), "application/jsonl");
    let bytes = read_body(answer).await;
    assert_eq!(bytes, crate::export::tests::export(&lab.parts.store).await);
}

#[actix_web::test]
async fn metrics_count_requests_and_changes_and_show_what_is() {
    let lab = Lab::new().await;
    let token = lab.token("mei", &[Scope::Publish, Scope::Gate]);
    lab.publish(&token).await;
    let opened =
        TestRequest::put().uri("/api/v1/gates/emergency/a").set_json(gate(9, GateState::Open, Some(1)));
    lab.operators(opened.insert_header((header::AUTHORIZATION, token.as_str()))).await;
    for _ in 0..3 {
        lab.public(TestRequest::get().uri("/metadata/timestamp.json")).await;
    }
    let stream = lab.public(TestRequest::get().uri("/api/v1/live")).await;
    let request = || TestRequest::get().uri("/metrics");
    assert_eq!(problem(lab.operators(request()).await).await, (401, ProblemKind::Unauthenticated));
    let reader = lab.token("dashboard", &[Scope::Read]);
    let answer = lab.operators(request().insert_header((header::AUTHORIZATION, reader.as_str()))).await;
    assert_eq!(text(&answer, header::CONTENT_TYPE), crate::metrics::MEDIA_TYPE);
    let told = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
    for line in [
        "mulberry_http_requests_total{endpoint=\"timestamp\",status=\"2xx\"} 3",
        "mulberry_http_requests_total{endpoint=\"lanes\",status=\"2xx\"} 1",
        "mulberry_http_requests_total{endpoint=\"gates\",status=\"4xx\"} 1",
        "mulberry_http_requests_total{endpoint=\"metrics\",status=\"4xx\"} 1",
        "mulberry_changes_total{change=\"publish\",result=\"done\"} 1",
        "mulberry_changes_total{change=\"gate\",result=\"revision-mismatch\"} 1",
        "mulberry_ledger_events 2",
        "mulberry_recipes 1",
        "mulberry_live_connections 1",
        "mulberry_troubles 0",
        "mulberry_signing_failures_total 0",
        "mulberry_tokens_refused_total 1",
        &format!("mulberry_edition {}", lab.core.served().edition.number()),
        "mulberry_role_expires_in_seconds{role=\"timestamp\"} 86400",
    ] {
        assert!(told.lines().any(|found| found == line), "{line} is not in\n{told}");
    }
    assert!(told.contains("mulberry_build_info{version="), "{told}");
    drop(stream);
    assert_eq!(lab.core.reading().live_connections, 0);
}
