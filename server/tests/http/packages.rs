//! `…/packages`.

use crate::world::World;
use weir_server::package::{PackageFile, pack};

const PACKAGES: &str = "/api/v1/repositories/default/packages";

fn file(path: &str, text: &str) -> PackageFile {
    PackageFile { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
}

fn package() -> Vec<u8> {
    package_with("kvParse()")
}

fn package_with(script: &str) -> Vec<u8> {
    pack(&[
        file("manifest.yaml", "name: acme/web\nversion: 1.2.3\n"),
        file("data/owners.csv", "service,owner\npay,ann\n"),
        file(
            "queries/Errors.yaml",
            "$schema: https://schemas.humio.com/query/v0.1.0\nname: Errors\nqueryString: |-\n  // by service\n  level=?{level=ERROR}\n  | match(file=\"acme/web/owners.csv\", field=service)\n",
        ),
        file(
            "dashboards/Overview.yaml",
            "name: Overview\nwidgets:\n  one:\n    title: By owner\n    queryString: $\"acme/web:Errors\"() | groupBy(owner)\n  two:\n    title: Slow\n    queryString: |-\n      ms>1000\n      | gruopBy(service)\n",
        ),
        file(
            "parsers/pairs.yaml",
            &format!("name: pairs\nscript: {script}\ntagFields: [team]\ntests:\n- team=pay ms=3\ntestCases:\n- event: {{rawString: ms=1}}\n  outputAssertions:\n  - outputEventIndex: 0\n    assertions: {{fieldsHaveValues: {{ms: 2}}}}\n"),
        ),
        file("alerts/Many.yaml", "name: Many\nqueryString: $\"Errors\"() | count() | _count>9\n"),
        file("queries/Broken.yaml", "name: [\n"),
        file("README.md", "# Web"),
    ])
    .unwrap()
}

#[tokio::test]
async fn a_package_is_checked_and_imported() {
    let world = World::new();
    let zip = [("content-type", "application/zip")];
    let answer = world.post(&format!("{PACKAGES}?check=true"), &zip, package()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let report = answer.json();
    assert_eq!((&report["name"], &report["version"]), (&"acme/web".into(), &"1.2.3".into()));
    assert_eq!((&report["queries"], &report["run"]), (&5.into(), &4.into()));
    assert!(report["imported"].is_null());
    let dashboard =
        report["items"].as_array().unwrap().iter().find(|item| item["kind"] == "dashboard").unwrap();
    let query = &dashboard["queries"][1];
    assert_eq!(query["what"], "widget `Slow`");
    let fault = &query["faults"][0];
    assert_eq!((&fault["line"], &fault["column"]), (&10.into(), &9.into()), "{fault}");
    assert_eq!(fault["hint"], "did you mean `groupBy`?");
    assert_eq!(report["passed"][0]["path"], "queries/Broken.yaml");
    assert!(world.rows("* | count()").await[0]["_count"] == "0");

    let report = world.post(PACKAGES, &zip, package()).await.json();
    let names = |key: &str, field: &str| -> Vec<String> {
        let list = report[key].as_array().unwrap().iter();
        list.map(|one| one[field].as_str().unwrap().to_owned()).collect()
    };
    // What the alert calls by its name alone is there under that name, too.
    let imported = ["acme/web/owners.csv", "acme/web:Errors", "Errors", "acme/web:pairs", "pairs"];
    assert_eq!(names("imported", "name"), imported);
    assert_eq!(report["imported"][4]["note"], "1 of its 2 examples fail");
    assert_eq!(
        names("leftOut", "path"),
        ["alerts/Many.yaml", "dashboards/Overview.yaml", "queries/Broken.yaml"]
    );
    assert!(names("leftOut", "reason")[0].starts_with("its query runs; "), "{report}");
    assert!(names("leftOut", "reason")[1].starts_with("1 of its 2 queries run; "), "{report}");
    world.ingest("{\"level\":\"ERROR\",\"service\":\"pay\"}\n").await;
    assert_eq!(world.rows("$\"acme/web:Errors\"() | groupBy(owner)").await[0]["owner"], "ann");
    let text = [("content-type", "text/plain")];
    let parsed = "/api/v1/repositories/default/ingest?parser=pairs";
    assert!(world.post(parsed, &text, b"team=cart ms=7".to_vec()).await.status.is_success());
    assert_eq!(world.rows("#type=pairs #team=cart | select(ms)").await[0]["ms"], "7");
    // A second time it replaces what it brought.
    let again = world.post(PACKAGES, &zip, package()).await.json();
    assert!(again["imported"].as_array().unwrap().iter().all(|one| one["isNew"] == false), "{again}");
    // A newer one replaces its own parser under both names, but not one that somebody made since.
    let names = |report: &serde_json::Value| -> Vec<String> {
        let list = report["imported"].as_array().unwrap().iter();
        list.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let newer = world.post(PACKAGES, &zip, package_with("kvParse() | v := 2")).await.json();
    assert_eq!(names(&newer), imported);
    let own = serde_json::json!({"script": "kvParse() | v := 3"}).to_string();
    let pairs = "/api/v1/repositories/default/parsers/pairs";
    assert!(world.put(pairs, &own).await.status.is_success());
    let newest = world.post(PACKAGES, &zip, package_with("kvParse() | v := 4")).await.json();
    assert_eq!(names(&newest), imported[..4]);
}

#[tokio::test]
async fn what_is_no_package_is_refused() {
    let world = World::new();
    let zip = [("content-type", "application/zip")];
    for (body, code) in [
        (b"nothing".to_vec(), "invalid-package"),
        (pack(&[file("queries/a.yaml", "name: a")]).unwrap(), "invalid-package"),
        (pack(&[file("../manifest.yaml", "name: a")]).unwrap(), "invalid-package"),
    ] {
        let answer = world.post(PACKAGES, &zip, body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["error"]["code"].as_str()), (400, Some(code)));
    }
    let form = [("content-type", "multipart/form-data; boundary=B")];
    let mut body =
        b"--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"web.zip\"\r\n\r\n".to_vec();
    body.extend(package());
    body.extend(b"\r\n--B--\r\n");
    let answer = world.post(&format!("{PACKAGES}?check=true"), &form, body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
