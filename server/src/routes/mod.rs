//! Which address does what. One file a noun; what is common to requests stands around the routes as layers.
//!
//! ```text
//! front -> observe -> catch panic -> guard (origin, token, scope) -> [plain errors] -> route
//! ```
//!
//! `dataspaces` is an alias of `repositories` everywhere, as in Humio.

mod body;
mod content_key;
mod editing;
mod event_stream;
mod explain;
mod extract;
mod fields;
mod files;
mod front;
mod guard;
mod ingest;
mod lull;
mod metrics;
mod operation;
mod packages;
mod parsers;
mod parsing;
mod prometheus;
mod query;
mod query_jobs;
mod query_live;
mod query_stream;
mod repositories;
mod saved_queries;
mod unknown;

pub use front::Front;

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, post, put};
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::auth::Scope;
use crate::error::{ApiError, plain_errors};

/// All routes, with what stands around them.
fn router(app: &App) -> Router {
    let panics = app.clone();
    Router::new()
        .merge(open_routes())
        .merge(scoped(app, Scope::Query, reading_routes()))
        .merge(scoped(app, Scope::Admin, changing_routes()))
        .merge(metric_routes(app))
        .merge(file_routes(app))
        .merge(parser_routes(app))
        .merge(scoped(app, Scope::Ingest, ingest_routes()))
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
    let router = both(router, "/{repo}", get(repositories::show));
    let router = both(router, "/{repo}/fields", get(fields::list));
    let router = both(router, "/{repo}/explain", post(explain::explain));
    let router = both(router, "/{repo}/query/complete", post(editing::complete));
    let router = both(router, "/{repo}/query/hover", post(editing::hover));
    let router = both(router, "/{repo}/query/check", post(editing::check));
    let router = both(router, "/{repo}/metrics", get(metrics::list));
    let router = both(router, "/{repo}/metrics/events", get(metrics::push_many));
    let router = both(router, "/{repo}/metrics/prometheus", get(prometheus::scrape));
    let router = both(router, "/{repo}/metrics/{name}/events", get(metrics::push));
    router.merge(query_routes().layer(from_fn(plain_errors))).merge(prometheus_routes())
}

/// What Prometheus has, with errors as it has them.
fn prometheus_routes() -> Router<App> {
    Router::new()
        .route("/api/v1/query", get(prometheus::query).post(prometheus::query))
        .route("/api/v1/query_range", get(prometheus::query_range).post(prometheus::query_range))
        .route("/api/v1/series", get(prometheus::series).post(prometheus::series))
        .route("/api/v1/labels", get(prometheus::labels).post(prometheus::labels))
        .route("/api/v1/label/{name}/values", get(prometheus::label_values))
        .route("/api/v1/metadata", get(prometheus::metadata))
        .route("/api/v1/status/buildinfo", get(prometheus::build_info))
}

/// What Humio has, with errors as Humio has them.
fn query_routes() -> Router<App> {
    let router = both(Router::new(), "/{repo}/query", post(query::stream));
    let router = both(router, "/{repo}/queryjobs", post(query_jobs::create));
    let router = both(router, "/{repo}/queryjobs/{id}", get(query_jobs::poll).delete(query_jobs::end));
    both(router, "/{repo}/queryjobs/{id}/events", get(query_jobs::push))
}

fn changing_routes() -> Router<App> {
    both(Router::new(), "/{repo}", put(repositories::create))
}

/// Events in.
fn ingest_routes() -> Router<App> {
    let humio = both(Router::new(), "/{repo}/ingest-messages", post(ingest::messages))
        .route("/api/v1/ingest/humio-structured", post(ingest::structured))
        .route("/api/v1/ingest/humio-unstructured", post(ingest::unstructured))
        .route("/api/v1/ingest/json", post(ingest::json))
        .route("/api/v1/ingest/raw", post(ingest::raw))
        .layer(from_fn(plain_errors));
    let hec = ["/api/v1/ingest/hec", "/services/collector", "/services/collector/event"];
    let hec_raw = ["/api/v1/ingest/hec/raw", "/services/collector/raw"];
    let health = ["/services/collector/health", "/services/collector/health/1.0"];
    let mut router = both(Router::new(), "/{repo}/ingest", post(ingest::any)).merge(humio);
    for path in hec {
        router = router.route(path, post(ingest::hec));
    }
    for path in hec_raw {
        router = router.route(path, post(ingest::hec_raw));
    }
    for path in health {
        router = router.route(path, get(ingest::hec_health));
    }
    router
}

/// Reading a metric and changing it want different scopes at one address.
fn metric_routes(app: &App) -> Router<App> {
    let reading = both(Router::new(), "/{repo}/metrics/{name}", get(metrics::read));
    let changing =
        both(Router::new(), "/{repo}/metrics/{name}", put(metrics::define).delete(metrics::delete));
    scoped(app, Scope::Query, reading).merge(scoped(app, Scope::Admin, changing))
}

/// Lookup files and saved queries: reading one and changing it want different scopes at one address.
fn file_routes(app: &App) -> Router<App> {
    let reading = both(Router::new(), "/{repo}/files", get(files::list));
    let reading = both(reading, "/{repo}/files/{*name}", get(files::read));
    let reading = both(reading, "/{repo}/savedqueries", get(saved_queries::list));
    let reading = both(reading, "/{repo}/savedqueries/{*name}", get(saved_queries::read));
    let saving = put(saved_queries::put).delete(saved_queries::remove);
    let changing = both(Router::new(), "/{repo}/savedqueries/{*name}", saving);
    let changing = both(changing, "/{repo}/packages", post(packages::import));
    let changing = both(changing, "/{repo}/files", post(files::upload));
    let changing = both(changing, "/{repo}/files/{*name}", put(files::put).delete(files::remove));
    scoped(app, Scope::Query, reading).merge(scoped(app, Scope::Admin, changing))
}

/// Parsers: as files.
fn parser_routes(app: &App) -> Router<App> {
    let reading = both(Router::new(), "/{repo}/parsers", get(parsers::list));
    let reading = both(reading, "/{repo}/parsers/test", post(parsers::test));
    let reading = both(reading, "/{repo}/parsers/{*name}", get(parsers::read));
    let reading = both(reading, "/{repo}/defaultparser", get(parsers::default));
    let changing = both(Router::new(), "/{repo}/parsers", post(parsers::create));
    let changing = both(changing, "/{repo}/parsers/{*name}", put(parsers::put).delete(parsers::remove));
    let choosing = put(parsers::set_default).delete(parsers::unset_default);
    let changing = both(changing, "/{repo}/defaultparser", choosing);
    scoped(app, Scope::Query, reading).merge(scoped(app, Scope::Admin, changing))
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
