//! `--migrations`: stores held against their application's folder of migrations.

mod harness;

mod agreement;
mod arguments;
mod code;
mod counted;
mod drivers;
mod drizzle;
mod each_tool;
mod hostile;
mod losses;
mod names;
mod planted;
mod private;
mod tried;
mod unread;
