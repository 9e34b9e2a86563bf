//! An archive of any bytes is a package or is refused: never a panic, never more than a package may have.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_server::package::{MAX_PACKAGE_BYTES, Package, PackageCheck, PackageFile, pack, unpack};

fuzz_target!(|data: &[u8]| {
    if let Ok(files) = unpack(data) {
        let list = files.clone().into_package();
        assert!(list.iter().map(|file| file.bytes.len()).sum::<usize>() <= MAX_PACKAGE_BYTES);
        assert!(list.iter().all(|file| !file.path.starts_with('/') && !file.path.split('/').any(|part| part == "..")));
        if let Ok(package) = Package::read(files) {
            let _ = PackageCheck::of(&package);
        }
    }
    // The same bytes as a manifest and a dashboard.
    let file = |path: &str| PackageFile { path: path.to_owned(), bytes: data.to_vec() };
    let archive = pack(&[file("manifest.yaml"), file("dashboards/a.yaml"), file("data/a.csv")]);
    if let Ok(package) = unpack(&archive.expect("three files fit")).and_then(Package::read) {
        let _ = PackageCheck::of(&package);
    }
});
