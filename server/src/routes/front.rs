//! Who answers a request: the router, but for the address that takes events in any format.
//!
//! Finding a route and going through its layers costs more than to take one event. So these requests are recognised here, and
//! what stands around every route stands around them as plain calls: counted, let in, a panic caught. The router has the
//! address as well, for whoever writes it otherwise or sends what is no `POST`.

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use tower::ServiceExt;
use tracing::Instrument;

use super::guard::Guard;
use super::{ingest, on_panic, router};
use crate::app::App;
use crate::auth::Scope;
use crate::observe::Seen;

/// What stands before the name of a repository, and what is counted for it.
const REPOSITORIES: [(&str, &str); 2] = [
    ("/api/v1/repositories/", "/api/v1/repositories/{repo}/ingest"),
    ("/api/v1/dataspaces/", "/api/v1/dataspaces/{repo}/ingest"),
];
/// And what behind it.
const INGEST: &str = "/ingest";

/// The whole server; needs no socket. Cloning is cheap.
#[derive(Clone)]
pub struct Front {
    app: App,
    router: Router,
    guard: Guard,
}

impl Front {
    /// In front of an application.
    #[must_use]
    pub fn new(app: &App) -> Front {
        Front { app: app.clone(), router: router(app), guard: Guard::new(app.clone(), Scope::Ingest) }
    }

    /// Answers a request that came on a connection of this number; 0: on none.
    pub async fn answer(&self, connection: u64, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        match address(&parts.method, parts.uri.path()) {
            Some((route, repository)) => self.take(connection, route, repository, &parts, body).await,
            None => {
                let answer = self.router.clone().oneshot(Request::from_parts(parts, body));
                answer.await.unwrap_or_else(|never| match never {})
            }
        }
    }

    async fn take(
        &self,
        connection: u64,
        route: &'static str,
        repository: &str,
        parts: &Parts,
        body: Body,
    ) -> Response {
        let seen = Seen::of(&self.app, route, &parts.method, &parts.headers);
        let work = async {
            let bearer = self.guard.check(&parts.headers)?;
            ingest::named(&self.app, connection, &bearer, repository, parts, body).await
        };
        let taken = AssertUnwindSafe(work).catch_unwind().instrument(seen.faint_span()).await;
        match taken {
            Ok(Ok(response)) => seen.answered(response),
            Ok(Err(error)) => seen.answered(error.into_response()),
            Err(panic) => {
                let response = seen.span().in_scope(|| on_panic(&self.app, &*panic));
                seen.answered(response)
            }
        }
    }
}

/// The route and the repository of a request that brings events in any format.
fn address<'p>(method: &Method, path: &'p str) -> Option<(&'static str, &'p str)> {
    if *method != Method::POST {
        return None;
    }
    let name = path.strip_suffix(INGEST)?;
    let found = REPOSITORIES.iter().find_map(|(front, route)| Some((*route, name.strip_prefix(front)?)));
    // What is written with escapes is for the router to read.
    found.filter(|(_, name)| !name.is_empty() && !name.bytes().any(|byte| matches!(byte, b'/' | b'%')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_take_events() {
        for (method, path, name) in [
            (Method::POST, "/api/v1/repositories/default/ingest", Some("default")),
            (Method::POST, "/api/v1/dataspaces/a.b-c/ingest", Some("a.b-c")),
            (Method::GET, "/api/v1/repositories/default/ingest", None),
            (Method::POST, "/api/v1/repositories//ingest", None),
            (Method::POST, "/api/v1/repositories/ingest", None),
            (Method::POST, "/api/v1/repositories/a/b/ingest", None),
            (Method::POST, "/api/v1/repositories/a%62/ingest", None),
            (Method::POST, "/api/v1/repositories/default/ingest/", None),
            (Method::POST, "/api/v1/repositories/default/ingest-messages", None),
        ] {
            assert_eq!(address(&method, path).map(|(_, name)| name), name, "{method} {path}");
        }
    }
}
