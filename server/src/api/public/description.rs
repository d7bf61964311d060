//! What the public listener answers, as OpenAPI. Its files have no handler that could describe them.

use mulberry_shared::ledger::continuation;
use mulberry_shared::operators::{Problem, address};
use mulberry_shared::recipe::Lane;
use mulberry_shared::tuf::location::{LEDGER, METADATA, TARGETS};
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{
    Content, Header, ObjectBuilder, PathItem, RefOr, Required, Response, ResponseBuilder, Schema,
};
use utoipa::{OpenApi, PartialSchema as _};

use super::super::routes::refusal;
use super::{dockerflow, live};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Mulberry public interface",
        description = "A TUF 1.0 repository with consistent snapshots, a live stream, and health in Mozilla's Dockerflow form.",
    ),
    paths(live::stream, dockerflow::heartbeat, dockerflow::lbheartbeat, dockerflow::version),
    components(schemas(Problem))
)]
struct Description;

/// The description of all that the listener answers.
pub(super) fn description() -> utoipa::openapi::OpenApi {
    let mut described = Description::openapi();
    if let Some(stream) = described.paths.paths.get_mut(address::LIVE).and_then(|item| item.get.as_mut()) {
        stream.responses.responses.insert("503".to_owned(), refusal(503).into());
    }
    let metadata =
        r"^(?:timestamp|[1-9][0-9]{0,19}\.(?:root|targets|emergency|routine|gates|snapshot))\.json$";
    let slug = r"^[0-9a-f]{64}\.[a-z0-9][a-z0-9-]{0,63}\.json$";
    let files = [
        (format!("/{METADATA}{{file}}"), "Metadata of the repository.", vec![named("file", text(metadata))]),
        (
            format!("/{TARGETS}{{gates}}"),
            "How far each recipe is open.",
            vec![named("gates", text(r"^[0-9a-f]{64}\.gates\.json$"))],
        ),
        (
            format!("/{TARGETS}{{lane}}/{{recipe}}"),
            "A recipe.",
            vec![named("lane", Lane::schema()), named("recipe", text(slug))],
        ),
        (
            format!("/{LEDGER}{{ledger}}/{{page}}"),
            "Hashes of the ledger's events, for witnesses.",
            vec![
                named("ledger", text("^[0-9a-f]{64}$")),
                named("page", text(r"^(?:0|[1-9][0-9]{0,16})\.json$")),
            ],
        ),
        (format!("/{}", continuation::PATH), "Which lost ledgers this one continues.", vec![]),
    ];
    for (path, summary, parameters) in files {
        let operation = file(summary, parameters);
        let item = PathItem::from_http_methods([HttpMethod::Get, HttpMethod::Head], operation);
        described.paths.paths.insert(path, item);
    }
    let itself =
        OperationBuilder::new().summary(Some("This description.")).response("200", document()).build();
    let item = PathItem::from_http_methods([HttpMethod::Get, HttpMethod::Head], itself);
    described.paths.paths.insert(address::OPENAPI.path.to_owned(), item);
    for item in described.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.head].into_iter().flatten() {
            operation.responses.responses.insert("400".to_owned(), refusal(400).into());
        }
        // Nothing follows the head of an answer to HEAD.
        for response in item.head.iter_mut().flat_map(|head| head.responses.responses.values_mut()) {
            if let RefOr::T(response) = response {
                response.content.clear();
            }
        }
    }
    described
}

/// Reading a file of the repository.
fn file(summary: &str, parameters: Vec<Parameter>) -> Operation {
    let empty = |what: &str| ResponseBuilder::new().description(what);
    let known = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .description(Some("`ETag`s that the client has (RFC 9110 section 13.1.2)."))
        .schema(Some(text_of_any_kind()));
    OperationBuilder::new()
        .summary(Some(summary))
        .parameters(Some(parameters.into_iter().chain([known.build()])))
        .response(
            "200",
            ResponseBuilder::from(document()).header("ETag", header()).header("Cache-Control", header()),
        )
        .response(
            "304",
            empty("the client has it").header("ETag", header()).header("Cache-Control", header()),
        )
        .response("404", empty("there is no such file").header("Cache-Control", header()))
        .build()
}

fn document() -> Response {
    let object = ObjectBuilder::new().schema_type(Type::Object);
    ResponseBuilder::new()
        .description("a JSON document")
        .content("application/json", Content::new(Some(object)))
        .build()
}

fn named(name: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema))
        .build()
}

fn header() -> Header {
    Header::new(text_of_any_kind())
}

fn text(pattern: &str) -> ObjectBuilder {
    text_of_any_kind().pattern(Some(pattern))
}

fn text_of_any_kind() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}
