//! `POST …/packages`: a package as a ZIP archive, the body itself or part `file` of a form.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header;

use super::extract::{Path, Query};
use crate::app::App;
use crate::clock::now_nanos;
use crate::error::ApiError;
use crate::package::{Homes, Import, Package, PackageCheck, unpack};
use crate::wire::{PackageParameters, PackageReport};

/// Checks a package and keeps what there is a home for; with `?check=true` it keeps nothing.
pub(super) async fn import(
    State(app): State<App>,
    Path(repository): Path<String>,
    Query(asked): Query<PackageParameters>,
    request: Request,
) -> Result<Json<PackageReport>, ApiError> {
    let repository = app.repository(&repository)?;
    let (parts, body) = request.into_parts();
    let mut archive = super::body::read_file(&app, &parts.headers, body).await?;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")) {
        archive = super::files::file_of_form(&parts.headers, archive).await?.1;
    }
    let shared = app.clone();
    let work = move || {
        let package = Package::read(unpack(&archive)?)?;
        let check = PackageCheck::of(&package);
        // The first time this reads files.
        let homes = || -> Result<Homes, ApiError> {
            Ok(Homes {
                saved: shared.saved_queries(repository.name())?,
                lookups: shared.lookups(repository.name())?,
                parsers: shared.parsers(repository.name())?,
                limits: shared.settings().parser.limits(),
                now_nanos: now_nanos(),
            })
        };
        let import = match asked.check {
            true => None,
            false => {
                let import = Import::of(&package, &check, &homes()?);
                shared.known_changed(&repository)?;
                Some(import)
            }
        };
        Ok::<_, ApiError>(PackageReport::new(&check, import.as_ref()))
    };
    Ok(Json(app.answering().run(work).await??))
}
