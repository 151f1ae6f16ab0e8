//! The one store that was given: its report, or the gate's answer.

use std::sync::Arc;

use anyhow::Result;

use crate::error::Error;
use crate::error::mistake;
use crate::examine::migration_status;
use crate::program::exit_code;
use crate::program::gate::Answer;
use crate::program::meter::Meter;
use crate::program::output::{Output, gate_text, print};
use crate::program::session::Session;
use crate::report::Report;

/// Returns the gate's question to the one store.
pub(super) fn ask_gate(session: &Arc<Session>) -> Answer {
    let meter = Arc::new(Meter::new());
    let mut stop = session.stop();
    // Elsewhere the gate prints its one line and no other.
    if meter.on_terminal() {
        stop = stop.showing(meter.ticker(&[]));
    }
    let watch = {
        let (theirs, meter) = (session.clone(), meter.clone());
        session.watchdog.watch(&stop, move |why| {
            let answer = Answer::could_not_look(theirs.store(), &Error::Stuck(why));
            meter.clear();
            let _ = print(gate_text(&answer, theirs.args.format).as_bytes());
            theirs.exit_process(answer.exit())
        })
    };
    let (path, environment) = (session.store(), session.environment(&stop));
    let (application, rehearse) = (&session.application, session.args.rehearse);
    let asked = mistake::caught(|| {
        let (status, rehearsal) = migration_status(path, application, rehearse, &environment)?;
        Ok(Answer::of(&status, rehearsal.as_ref()))
    });
    watch.end();
    meter.clear();
    match asked {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Answer::could_not_look(path, &error),
        Err(mistake) => Answer::cannot_tell(&mistake.to_string()),
    }
}

/// Examines the one store and prints its report; the exit code.
pub(super) fn examine(session: &Arc<Session>) -> Result<u8> {
    let meter = Arc::new(Meter::new());
    let stop = session.stop().showing(meter.ticker(&session.checks));
    let answers = session.answers(session.store(), &stop);
    let watch = {
        let (theirs, answers, meter) = (session.clone(), answers.clone(), meter.clone());
        session.watchdog.watch(&stop, move |why| {
            let report = answers.broken_off(&Error::Stuck(why));
            let printed = mistake::caught(|| print_report(&theirs, &report, &meter));
            theirs.exit_process(exit_code(printed.map_err(anyhow::Error::from).flatten()))
        })
    };
    let report = session.report(&answers, session.store(), &stop);
    watch.end();
    print_report(session, &report, &meter)
}

fn print_report(session: &Session, report: &Report, meter: &Meter) -> Result<u8> {
    meter.clear();
    let _ = print(Output::new(&session.args).report(report).as_bytes())?;
    Ok(session.exit_code(report.failed()))
}
