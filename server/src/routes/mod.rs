//! Which address does what. One file a noun; what is common to requests stands around the routes as layers.
//!
//! ```text
//! observe -> catch panic -> guard (origin, token, scope) -> [plain errors] -> route
//! ```
//!
//! `dataspaces` is an alias of `repositories` everywhere, as in Humio.

mod body;
mod guard;
mod operation;
mod repositories;
mod unknown;

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::auth::Scope;
use crate::error::ApiError;

/// The whole server as a service; needs no socket.
pub fn router(app: &App) -> Router {
    let panics = app.clone();
    Router::new()
        .merge(open_routes())
        .merge(scoped(app, Scope::Query, reading_routes()))
        .merge(scoped(app, Scope::Admin, changing_routes()))
        .fallback(unknown::route)
        .method_not_allowed_fallback(unknown::method)
        .layer(CatchPanicLayer::custom(move |panic: Box<dyn std::any::Any + Send>| {
            on_panic(&panics, &*panic)
        }))
        .layer(from_fn_with_state(app.clone(), crate::observe::observe))
        .with_state(app.clone())
}

/// Routes that tell nothing worth a token.
fn open_routes() -> Router<App> {
    Router::new()
        .route("/health", get(operation::health))
        .route("/ready", get(operation::ready))
        .route("/api/v1/status", get(operation::status))
}

fn reading_routes() -> Router<App> {
    let router = Router::new()
        .route("/metrics", get(operation::prometheus))
        .route("/api/v1/health-json", get(operation::health_json));
    let router = both(router, "", get(repositories::list));
    both(router, "/{repo}", get(repositories::show))
}

fn changing_routes() -> Router<App> {
    both(Router::new(), "/{repo}", axum::routing::put(repositories::create))
}

/// A route below a repository, under both its names.
fn both(router: Router<App>, path: &str, method: MethodRouter<App>) -> Router<App> {
    router
        .route(&format!("/api/v1/repositories{path}"), method.clone())
        .route(&format!("/api/v1/dataspaces{path}"), method)
}

/// Puts the guard of a scope around routes.
fn scoped(app: &App, scope: Scope, router: Router<App>) -> Router<App> {
    router.route_layer(from_fn_with_state(guard::Guard::new(app.clone(), scope), guard::guard))
}

fn on_panic(app: &App, panic: &(dyn std::any::Any + Send)) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("unknown");
    tracing::error!(panic = text, "a request panicked");
    app.counters().panics.inc();
    ApiError::internal().into_response()
}
