//! `time:year` and its like: parts of an instant in a zone.
//!
//! The zone is `timezone`, else what the row's `timezoneField` names, else the query's. What is no integer number
//! of milliseconds gives nothing.

use std::sync::Arc;

use jiff::civil::DateTime;

use crate::error::Diagnostic;
use crate::functions::timeformat::{DAYS, MONTHS, zone_argument};
use crate::functions::{Arguments, Build, Kind, Parameter, RowFunction, Scratch, Signature, Touches};
use crate::machine::{StepError, View};
use crate::record::{Column, ColumnBuilder};
use crate::value::{Number, ValueRef};
use crate::windows::Zone;

macro_rules! part {
    ($name:literal, $as:literal, $doc:literal) => {
        Signature {
            name: $name,
            aliases: &[],
            parameters: &[
                Parameter::with_default("field", Kind::Text, "@timestamp"),
                Parameter::optional("timezone", Kind::Text),
                Parameter::with_default("timezoneField", Kind::Text, "@timezone"),
                Parameter::with_default("as", Kind::Text, $as),
            ],
            build: Build::Row(build),
            doc: $doc,
        }
    };
}

/// The table of this family.
pub const SIGNATURES: &[Signature] = &[
    part!("time:year", "_year", "The year."),
    part!("time:month", "_month", "The month, 1 to 12."),
    part!("time:monthName", "_monthName", "The name of the month."),
    part!("time:dayOfMonth", "_dayOfMonth", "The day of the month."),
    part!("time:dayOfWeek", "_dayOfWeek", "The day of the week, Monday being 1."),
    part!("time:dayOfWeekName", "_dayOfWeekName", "The name of the day of the week."),
    part!("time:dayOfYear", "_dayOfYear", "The day of the year."),
    part!("time:weekOfYear", "_weekOfYear", "The ISO week of the year."),
    part!("time:hour", "_hour", "The hour, 0 to 23."),
    part!("time:minute", "_minute", "The minute."),
    part!("time:second", "_second", "The second."),
    part!("time:millisecond", "_millisecond", "The millisecond."),
];

/// A compiled function of this family.
#[derive(Debug)]
pub struct TimePart {
    part: Part,
    field: Arc<str>,
    zone: Option<Zone>,
    zone_field: Arc<str>,
    output: Arc<str>,
}

/// A part of an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    Month,
    MonthName,
    DayOfMonth,
    DayOfWeek,
    DayOfWeekName,
    DayOfYear,
    WeekOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
}

fn build(arguments: &Arguments) -> Result<RowFunction, Diagnostic> {
    let part = match arguments.signature().name {
        "time:year" => Part::Year,
        "time:month" => Part::Month,
        "time:monthName" => Part::MonthName,
        "time:dayOfMonth" => Part::DayOfMonth,
        "time:dayOfWeek" => Part::DayOfWeek,
        "time:dayOfWeekName" => Part::DayOfWeekName,
        "time:dayOfYear" => Part::DayOfYear,
        "time:weekOfYear" => Part::WeekOfYear,
        "time:hour" => Part::Hour,
        "time:minute" => Part::Minute,
        "time:second" => Part::Second,
        _ => Part::Millisecond,
    };
    Ok(RowFunction::TimePart(TimePart {
        part,
        field: arguments.text_or_empty("field"),
        zone: zone_argument(arguments)?,
        zone_field: arguments.text_or_empty("timezoneField"),
        output: arguments.text_or_empty("as"),
    }))
}

impl TimePart {
    /// Runs over the rows in play.
    ///
    /// # Errors
    /// When the rows cannot be read.
    pub fn apply(&self, view: &mut View<'_>, scratch: &mut Scratch) -> Result<(), StepError> {
        let query_zone = || Zone::parse(&scratch.context.timezone).unwrap_or(Zone::UTC);
        let zones = match &self.zone {
            Some(_) => Column::Missing { rows: view.rows() },
            None => view.column(&self.zone_field)?,
        };
        if let Column::Missing { .. } = zones {
            let zone = self.zone.clone().unwrap_or_else(query_zone);
            view.map(&self.field, &self.output, |value, out| self.write(value, &zone, out))?;
            return Ok(());
        }
        let instants = view.column(&self.field)?;
        let mut out = ColumnBuilder::with_capacity(view.rows());
        // Zones repeat from row to row: the last one read is kept.
        let mut named: (String, Zone) = (String::new(), query_zone());
        for row in view.selection().iter() {
            out.pad(row);
            let Some(value) = instants.get(row) else { continue };
            let name = zones.get(row).map(|name| name.text().into_owned()).unwrap_or_default();
            if name != named.0 {
                let zone = if name.is_empty() { None } else { Zone::parse(&name) };
                named = (name, zone.unwrap_or_else(query_zone));
            }
            self.write(value, &named.1, &mut out);
        }
        out.pad(view.rows());
        view.assign(&self.output, out.finish())?;
        Ok(())
    }

    fn write(&self, value: ValueRef<'_>, zone: &Zone, out: &mut ColumnBuilder) {
        let Some(Number::Int(millis)) = value.number() else { return };
        let Some(civil) = zone.civil(millis) else { return };
        match self.part.of(civil) {
            Ok(number) => out.int(number),
            Err(name) => out.text(name),
        }
    }

    /// Notes what it reads and writes.
    pub fn touches(&self, touches: &mut Touches) {
        touches.read(&self.field);
        if self.zone.is_none() {
            touches.read(&self.zone_field);
        }
        touches.read(&self.output);
        touches.write(&self.output);
    }

    /// The field written.
    #[must_use]
    pub fn output(&self) -> Arc<str> {
        Arc::clone(&self.output)
    }
}

impl Part {
    /// The part as a number, or as a name.
    fn of(self, civil: DateTime) -> Result<i64, &'static str> {
        let name = |names: &[&'static str], at: i8| {
            Err(usize::try_from(at).ok().and_then(|at| names.get(at)).copied().unwrap_or_default())
        };
        let weekday = civil.weekday();
        Ok(match self {
            Part::Year => civil.year().into(),
            Part::Month => civil.month().into(),
            Part::MonthName => return name(&MONTHS, civil.month() - 1),
            Part::DayOfMonth => civil.day().into(),
            Part::DayOfWeek => weekday.to_monday_one_offset().into(),
            Part::DayOfWeekName => return name(&DAYS, weekday.to_monday_zero_offset()),
            Part::DayOfYear => civil.day_of_year().into(),
            Part::WeekOfYear => civil.date().iso_week_date().week().into(),
            Part::Hour => civil.hour().into(),
            Part::Minute => civil.minute().into(),
            Part::Second => civil.second().into(),
            Part::Millisecond => i64::from(civil.subsec_nanosecond()) / 1_000_000,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_in_a_zone() {
        let at = 1_735_603_445_067; // 2024-12-31T00:04:05.067Z, a Tuesday of ISO week 1.
        let utc = Zone::UTC.civil(at).unwrap();
        let numbers = [
            (Part::Year, 2024),
            (Part::Month, 12),
            (Part::DayOfMonth, 31),
            (Part::DayOfWeek, 2),
            (Part::DayOfYear, 366),
            (Part::WeekOfYear, 1),
            (Part::Hour, 0),
            (Part::Minute, 4),
            (Part::Second, 5),
            (Part::Millisecond, 67),
        ];
        for (part, number) in numbers {
            assert_eq!(part.of(utc), Ok(number), "{part:?}");
        }
        assert_eq!(Part::MonthName.of(utc), Err("December"));
        assert_eq!(Part::DayOfWeekName.of(utc), Err("Tuesday"));
        let west = Zone::parse("America/New_York").unwrap().civil(at).unwrap();
        assert_eq!((Part::DayOfMonth.of(west), Part::Hour.of(west)), (Ok(30), Ok(19)));
    }
}
