//! The table of the operators' interface. Paths, methods, scopes, the description and the answer to a wrong method come from it.

use std::collections::BTreeMap;

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web::{self, ServiceConfig};
use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError as _, Route,
};
use mulberry_shared::operators::{Scope, address};
use utoipa::OpenApi;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};

use super::access::{Guarded, Permission};
use super::{ceremonies, ledger, metrics, not_found, operators, problem, proposals};

/// Declares the table: each line is a handler with what describes it.
macro_rules! interface {
    ($($module:ident::$handler:ident by $described:ident,)+) => {
        #[derive(OpenApi)]
        #[openapi(
            info(
                title = "Mulberry operators' interface",
                description = "Every error answer is a problem document (RFC 9457).",
            ),
            paths($($module::$handler),+)
        )]
        struct Description;

        /// What the listener does for those with a token.
        fn endpoints() -> Vec<Endpoint> {
            vec![$(endpoint::<$module::$described, _, _>($module::$handler),)+]
        }
    };
}

interface! {
    operators::status by __path_status,
    operators::publish by __path_publish,
    operators::set_gate by __path_set_gate,
    proposals::list by __path_list,
    proposals::propose by __path_propose,
    proposals::show by __path_show,
    proposals::sign by __path_sign,
    proposals::give_up by __path_give_up,
    ceremonies::list by __path_list,
    ceremonies::submit by __path_submit,
    ceremonies::show by __path_show,
    ceremonies::give_up by __path_give_up,
    ledger::ledger by __path_ledger,
    metrics::metrics by __path_metrics,
}

/// One thing that the listener does: where, how, and what a token must be allowed for it.
struct Endpoint {
    path: String,
    method: Method,
    scope: Scope,
    route: Route,
}

/// `D` is what utoipa's attribute on the handler made of it.
fn endpoint<D: utoipa::Path, F, Args>(handler: F) -> Endpoint
where
    F: Handler<Args>,
    Args: FromRequest + Guarded + 'static,
    F::Output: Responder + 'static,
{
    let method = D::methods().first().map_or(Method::GET, method);
    let route = web::method(method.clone()).to(handler);
    Endpoint { path: D::path(), method, scope: Args::Permission::SCOPE, route }
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

/// A resource that takes these methods and says so to all others.
pub(super) fn resource(path: &str, routes: Vec<(Method, Route)>) -> Resource {
    let methods: Vec<&str> = routes.iter().map(|(method, _)| method.as_str()).collect();
    let allow = methods.join(", ");
    let other = move |request: HttpRequest| std::future::ready(not_allowed(request.method(), &allow));
    let resource = routes.into_iter().fold(web::resource(path), |resource, (_, route)| resource.route(route));
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

async fn openapi() -> HttpResponse {
    operators::answer(&description())
}

/// The description: utoipa's, with what each operation's token must be allowed.
pub(super) fn description() -> utoipa::openapi::OpenApi {
    let mut described = Description::openapi();
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    described.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    for Endpoint { path, method, scope, .. } in endpoints() {
        let item = described.paths.paths.get_mut(&path);
        if let Some(operation) = item.and_then(|item| operation(item, &method)) {
            operation.security = Some(vec![SecurityRequirement::new("token", [scope.as_str()])]);
        }
    }
    described
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
    use super::*;
    use mulberry_shared::operators::Address;

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
    fn every_operation_says_what_its_token_must_be_allowed() {
        let described = serde_json::to_value(description()).unwrap();
        for Endpoint { path, method, scope, .. } in endpoints() {
            let operation = &described["paths"][&path][method.as_str().to_lowercase()];
            assert_eq!(operation["security"][0]["token"][0], scope.as_str(), "{method} {path}");
        }
    }
}
