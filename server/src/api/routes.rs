//! The table of the operators' interface. Paths, methods, scopes, the description and the answer to a wrong method come from it.

use std::collections::BTreeMap;

use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError as _, Route,
};
use mulberry_shared::operators::{PROBLEM_MEDIA_TYPE, Problem, Scope, address};
use utoipa::OpenApi;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::schema::Type;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Header, ObjectBuilder, Ref, Response, ResponseBuilder};

use super::access::{Guarded, Permission};
use super::{ceremonies, has_body, ledger, metrics, not_found, operators, problem, proposals};

/// Declares the table: each line is a handler, what describes it, and the statuses with which it refuses what it can read.
macro_rules! interface {
    ($($module:ident::$handler:ident by $described:ident refuses $refusals:expr,)+) => {
        #[derive(OpenApi)]
        #[openapi(
            info(
                title = "Mulberry operators' interface",
                description = "Every error answer is a problem document (RFC 9457). 400 means that the request is not what this \
                    document describes, 409 and 422 that it is, and was refused. Numbers are whole, and written without a fraction: \
                    2, not 2.0.",
            ),
            paths($($module::$handler,)+ openapi),
            components(schemas(Problem))
        )]
        struct Description;

        /// What the listener does for those with a token.
        fn endpoints() -> Vec<Endpoint> {
            vec![$(endpoint::<$module::$described, _, _>($module::$handler, &$refusals),)+]
        }
    };
}

interface! {
    operators::status by __path_status refuses [],
    operators::publish by __path_publish refuses [409, 422],
    operators::set_gate by __path_set_gate refuses [404, 409, 422],
    proposals::list by __path_list refuses [],
    proposals::propose by __path_propose refuses [404, 409, 422],
    proposals::show by __path_show refuses [404],
    proposals::sign by __path_sign refuses [404, 409, 422],
    proposals::give_up by __path_give_up refuses [404, 422],
    ceremonies::list by __path_list refuses [],
    ceremonies::submit by __path_submit refuses [409, 422],
    ceremonies::show by __path_show refuses [404],
    ceremonies::give_up by __path_give_up refuses [404, 422],
    ledger::ledger by __path_ledger refuses [],
    metrics::metrics by __path_metrics refuses [],
}

/// One thing that the listener does: where, how, and what a token must be allowed for it.
struct Endpoint {
    path: String,
    method: Method,
    scope: Scope,
    refusals: &'static [u16],
    route: Route,
}

/// `D` is what utoipa's attribute on the handler made of it.
fn endpoint<D: utoipa::Path, F, Args>(handler: F, refusals: &'static [u16]) -> Endpoint
where
    F: Handler<Args>,
    Args: FromRequest + Guarded + 'static,
    F::Output: Responder + 'static,
{
    let method = D::methods().first().map_or(Method::GET, method);
    let route = web::method(method.clone()).to(handler);
    Endpoint { path: D::path(), method, scope: Args::Permission::SCOPE, refusals, route }
}

fn method(described: &HttpMethod) -> Method {
    match described {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

/// Adds the operators' routes.
pub fn configure(config: &mut ServiceConfig) {
    let mut by_path: BTreeMap<String, Vec<(Method, Route)>> = BTreeMap::new();
    for endpoint in endpoints() {
        by_path.entry(endpoint.path).or_default().push((endpoint.method, endpoint.route));
    }
    by_path.insert(address::OPENAPI.path.to_owned(), vec![(Method::GET, web::get().to(openapi))]);
    for (path, routes) in by_path {
        config.service(resource(&path, routes));
    }
    config.default_service(web::to(not_found));
}

/// A resource that takes these methods and says so to all others. Reading takes no body.
pub(super) fn resource(path: &str, routes: Vec<(Method, Route)>) -> Resource {
    let methods: Vec<Method> = routes.iter().map(|(method, _)| method.clone()).collect();
    let allow = methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ");
    let other = move |request: HttpRequest| {
        let method = request.method();
        std::future::ready(match methods.contains(method) {
            true => problem::body_not_taken(method.as_str()).error_response(),
            false => not_allowed(method, &allow),
        })
    };
    let resource = routes.into_iter().fold(web::resource(path), |resource, (method, route)| {
        let reads = matches!(method, Method::GET | Method::HEAD);
        let refuses = move |request: &GuardContext<'_>| reads && has_body(&request.req_data());
        resource.route(route.guard(fn_guard(move |request| !refuses(request))))
    });
    resource.default_service(web::to(other))
}

/// The answer to a method that an address does not take (RFC 9110 section 15.5.6).
pub(super) fn not_allowed(method: &Method, allow: &str) -> HttpResponse {
    let mut answer = problem::method_not_allowed(method.as_str(), allow).error_response();
    if let Ok(allow) = HeaderValue::from_str(allow) {
        answer.headers_mut().insert(ALLOW, allow);
    }
    answer
}

/// This description. It needs no token.
#[utoipa::path(get, path = address::OPENAPI.path, responses((status = 200, body = serde_json::Value)))]
async fn openapi() -> HttpResponse {
    operators::answer(&description())
}

/// The description: utoipa's, with what each operation's token must be allowed, and how it is refused.
pub(super) fn description() -> utoipa::openapi::OpenApi {
    let mut described = Description::openapi();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    described.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    for Endpoint { path, method, scope, refusals, .. } in endpoints() {
        let item = described.paths.paths.get_mut(&path);
        let Some(operation) = item.and_then(|item| operation(item, &method)) else { continue };
        operation.security = Some(vec![SecurityRequirement::new("token", [scope.as_str()])]);
        let scoped = (scope != Scope::Read).then_some(403);
        let sent = operation.request_body.as_ref().map(|_| 413);
        let named = path.contains('{').then_some(404);
        let all = [400, 401, 500, 503].into_iter().chain(scoped).chain(sent).chain(named);
        for status in all.chain(refusals.iter().copied()) {
            operation.responses.responses.insert(status.to_string(), refusal(status).into());
        }
    }
    if let Some(item) = described.paths.paths.get_mut(address::OPENAPI.path)
        && let Some(operation) = item.get.as_mut()
    {
        operation.responses.responses.insert("400".to_owned(), refusal(400).into());
    }
    described
}

/// How a refusal with this status looks.
pub(super) fn refusal(status: u16) -> Response {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    let refusal =
        ResponseBuilder::new().description(reason.unwrap_or_default()).content(PROBLEM_MEDIA_TYPE, content);
    let asks = Header::new(ObjectBuilder::new().schema_type(Type::String));
    if status == 401 { refusal.header("WWW-Authenticate", asks).build() } else { refusal.build() }
}

fn operation<'i>(item: &'i mut utoipa::openapi::PathItem, method: &Method) -> Option<&'i mut Operation> {
    match *method {
        Method::GET => item.get.as_mut(),
        Method::POST => item.post.as_mut(),
        Method::PUT => item.put.as_mut(),
        Method::DELETE => item.delete.as_mut(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use mulberry_shared::operators::Address;
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_address_of_the_table_is_answered_and_none_beside() {
        let mut answered: Vec<String> = endpoints().into_iter().map(|endpoint| endpoint.path).collect();
        answered.push(address::OPENAPI.path.to_owned());
        answered.sort();
        answered.dedup();
        let mut known: Vec<String> = Address::ALL.iter().map(|address| address.path.to_owned()).collect();
        known.sort();
        assert_eq!(answered, known);
    }

    #[test]
    fn whatever_a_request_holds_is_bounded_by_its_description() {
        let described = serde_json::to_value(description()).unwrap();
        let mut open: Vec<Value> = described["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|item| item.as_object().unwrap())
            .map(|(_, operation)| operation["requestBody"]["content"]["application/json"]["schema"].clone())
            .filter(|schema| !schema.is_null())
            .collect();
        assert_eq!(open.len(), 7, "a body for each operation that changes something");
        let (mut seen, mut texts) = (BTreeSet::new(), 0);
        while let Some(schema) = open.pop() {
            if !seen.insert(schema.to_string()) {
                continue;
            }
            let has = |names: &[&str]| names.iter().any(|name| !schema[name].is_null());
            let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
            match kind {
                Some("object") => assert!(has(&["additionalProperties"]), "it takes any field: {schema}"),
                Some("string") => {
                    texts += 1;
                    assert!(has(&["pattern", "enum", "format", "maxLength"]), "it takes any text: {schema}");
                }
                Some("integer") => assert!(has(&["maximum"]), "it takes any number: {schema}"),
                _ => assert!(has(&["$ref", "oneOf", "items", "type"]), "it takes anything: {schema}"),
            }
            if let Some(name) = schema["$ref"].as_str() {
                let target = described.pointer(name.trim_start_matches('#')).unwrap();
                open.push(target.clone());
            }
            // A key's label and what is beside a signature may be any text: nothing vouches for them.
            let free = |name: &str| matches!(name, "keyid" | "sig");
            let fields = schema["properties"].as_object().into_iter().flatten();
            open.extend(fields.filter(|(name, _)| !free(name)).map(|(_, field)| field.clone()));
            open.extend(schema["oneOf"].as_array().into_iter().flatten().cloned());
            let parts = [&schema["items"], &schema["propertyNames"]];
            open.extend(parts.into_iter().filter(|part| part.is_object()).cloned());
        }
        assert!(texts > 5, "{texts}");
    }

    #[test]
    fn every_operation_says_what_its_token_must_be_allowed() {
        let described = serde_json::to_value(description()).unwrap();
        for Endpoint { path, method, scope, .. } in endpoints() {
            let operation = &described["paths"][&path][method.as_str().to_lowercase()];
            assert_eq!(operation["security"][0]["token"][0], scope.as_str(), "{method} {path}");
        }
    }
}
