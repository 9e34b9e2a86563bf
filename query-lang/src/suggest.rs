//! The name that was probably meant.

/// The candidate nearest to a mistyped name, if one is near enough to be worth saying: a third of the name may be
/// mistaken, case aside.
///
/// The distance is Damerau's: a letter missing, too many, wrong, or swapped with its neighbour counts as one. Of
/// several equally near, the first is taken, those before that begin with the same letter.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Longer names than this are not mistyped names of functions or parameters.
    const MAX_NAME_BYTES: usize = 64;
    if name.is_empty() || name.len() > MAX_NAME_BYTES {
        return None;
    }
    let wanted = name.to_lowercase();
    let allowed = (wanted.chars().count() / 3).max(1);
    let family = wanted.rfind(':').and_then(|at| wanted.get(..=at)).unwrap_or("");
    let member = wanted.get(family.len()..).unwrap_or("");
    let distance = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        // What members of one family have in common makes none of them nearer.
        if let Some(other) = candidate.strip_prefix(family).filter(|_| !family.is_empty()) {
            let far = strsim::damerau_levenshtein(member, other);
            let near = far <= (member.chars().count() / 3).max(1);
            return if near { far } else { usize::MAX };
        }
        // A family left out or added (`hour` for `time:hour`) is a near miss however long the family's name is.
        let member =
            |full: &str, part: &str| full.rsplit(':').next() == Some(part) && full.len() > part.len();
        if member(&candidate, &wanted) || member(&wanted, &candidate) {
            return 1;
        }
        strsim::damerau_levenshtein(&wanted, &candidate)
    };
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_NAME_BYTES)
        .map(|candidate| (distance(candidate), candidate))
        .filter(|&(far, candidate)| far <= allowed && far < candidate.chars().count())
        .min_by_key(|&(far, candidate)| (far, !begins_alike(candidate, name)))
        .map(|(_, candidate)| candidate)
}

fn begins_alike(one: &str, other: &str) -> bool {
    let first = |text: &str| text.chars().next().map(|letter| letter.to_ascii_lowercase());
    first(one) == first(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_suggested() {
        let names = ["timeChart", "groupBy", "time:hour", "stdDev", "sum", "sort", "in", "math:abs", "avg"];
        let check = |name: &str, expect: Option<&str>| assert_eq!(suggest(name, names), expect, "{name}");
        check("timechrt", Some("timeChart"));
        check("TimeChart", Some("timeChart"));
        check("gruopBy", Some("groupBy"));
        check("group_by", Some("groupBy"));
        check("hour", Some("time:hour"));
        check("abs", Some("math:abs"));
        check("stdev", Some("stdDev"));
        check("smu", Some("sum"));
        check("math:asb", Some("math:abs"));
        check("time:foo", None);
        assert_eq!(suggest("dsc", ["asc", "desc"]), Some("desc"));
        check("completelyDifferent", None);
        check("x", None);
        check("", None);
        check(&"timeChart".repeat(100), None);
    }
}
