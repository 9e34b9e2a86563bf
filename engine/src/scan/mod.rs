//! Running a program over a snapshot.
