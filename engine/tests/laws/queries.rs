// The queries for which live must equal scan: every family of aggregates, behind filters and transforms, and with
// steps after the aggregate. Events have `service`, `level`, `user`, `status`, `latency`, `bytes`, `message`, some of
// them not in every event. Add to it whatever a live query can be.

/// Queries over the fields of the laws' events.
pub const QUERIES: &[&str] = &[
    // Counting.
    "count()",
    "level=error | count(as=errors)",
    "count(field=user)",
    "count(field=user, distinct=true)",
    "status>=500 | count()",
    "message=/time(d )?out/i | count()",
    "timeout | count()",
    "not level=info | count()",
    // Numbers.
    "sum(bytes)",
    "avg(bytes)",
    "min(latency)",
    "max(latency)",
    "range(latency)",
    "stdDev(latency)",
    "[count(), sum(bytes), avg(latency), min(latency), max(latency)]",
    "stats([count(), max(bytes)])",
    "percentile(latency, percentiles=[50, 90, 99])",
    // Groups.
    "groupBy(service)",
    "groupBy([service, level], function=[count(), avg(latency)])",
    "groupBy(service, function=percentile(latency))",
    "groupBy(service, function=[count(user, distinct=true), sum(bytes)])",
    "groupBy(user, function=selectLast([status, service]))",
    "groupBy(user) | sort(_count, limit=5)",
    "groupBy([service, user]) | groupBy(service, function=max(_count))",
    "groupBy(service, function=collect(level))",
    "groupBy(user, function=[count(), sum(bytes), avg(latency)], limit=3, other=others)",
    // Top and distinct rows.
    "top(user)",
    "top(user, limit=3)",
    "top([service, level])",
    "collect(level)",
    // Time.
    "timeChart(span=10s)",
    "timeChart(service, span=10s)",
    "timeChart(service, function=avg(latency), span=20s)",
    "timeChart(level)",
    "bucket(span=15s)",
    "bucket(span=15s, field=service, function=sum(bytes))",
    // Order.
    "head(5)",
    "tail(7)",
    "level=error | tail(3)",
    "sort(latency, limit=10)",
    "sort(latency, order=asc, limit=10)",
    "table([service, user, latency], limit=20)",
    "selectLast([user, status])",
    // Transforms before, and steps after.
    "slow := latency > 100 | groupBy(slow)",
    "x := latency * 2 + 1 | sum(x)",
    "case { status>=500 | class := \"bad\"; * | class := \"good\" } | groupBy(class)",
    "message=/user (?<name>\\w+)/ | groupBy(name)",
    "upper(service, as=s) | groupBy(s)",
    "groupBy(service, function=[count(as=n), sum(bytes, as=b)]) | mean := b / n | sort(mean)",
    "level=error | groupBy(service) | _count > 1",
    // No aggregate: the newest 200.
    "level=warn",
    "service=api | select([user, latency])",
];
