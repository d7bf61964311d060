//! One measurement by wrk, and the time of the processors that the server spent on it.

use std::fs;
use std::path::Path;

use super::Spec;
use crate::LabError;
use crate::bench::series::Sample;
use crate::process;

/// Ticks of the processors' time a second, as the kernel shows it to programs: fixed on Linux.
const TICKS: f64 = 100.0;

/// Asks for `url` again and again; with `known`, only for what differs from that entity tag. Answers per second, and per
/// second of the time of the processors that the process `pid` and its children spent.
pub(super) fn measure(
    wrk: &Path,
    spec: &Spec,
    url: &str,
    known: Option<&str>,
    pid: u32,
) -> Result<Sample, LabError> {
    let mut arguments = vec![
        "--threads".to_owned(),
        spec.connections.min(2).to_string(),
        "--connections".to_owned(),
        spec.connections.to_string(),
        "--duration".to_owned(),
        format!("{}s", spec.seconds),
    ];
    if let Some(etag) = known {
        arguments.extend(["--header".to_owned(), format!("If-None-Match: {etag}")]);
    }
    arguments.push(url.to_owned());
    let before = cpu_seconds(pid);
    let said = process::run(wrk, &arguments, &std::env::temp_dir())
        .and_then(|said| said.expect_code(0))
        .map_err(|error| LabError::Impossible(error.to_string()))?;
    let spent = cpu_seconds(pid).zip(before).map(|(after, before)| after - before);
    let (requests, per_second) = read(&said.stdout)
        .ok_or_else(|| LabError::Impossible(format!("a measurement like this:\n{}", said.stdout)))?;
    let cpu = spent.filter(|spent| *spent > 0.0).map(|spent| requests / spent);
    Ok(Sample { wall: per_second, cpu })
}

/// Requests, and requests per second; `None` where wrk met errors, which would be no measurement.
fn read(text: &str) -> Option<(f64, f64)> {
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return None;
    }
    let lines = || text.lines().map(str::trim);
    let requests = lines().find_map(|line| line.split_once(" requests in ")?.0.parse::<f64>().ok())?;
    let per_second =
        lines().find_map(|line| line.strip_prefix("Requests/sec:")?.trim().parse::<f64>().ok())?;
    (requests > 0.0 && per_second > 0.0).then_some((requests, per_second))
}

/// What a process and its children have spent so far.
fn cpu_seconds(pid: u32) -> Option<f64> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    std::iter::once(pid).chain(children).map(own_seconds).sum()
}

fn own_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything. After it the state is field 3, utime field 14, stime field 15.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11).map(|field| field.parse::<f64>().ok());
    Some((fields.next()?? + fields.next()??) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_wrk_says_is_read_and_errors_are_no_measurement() {
        let text = "Running 1s test\n  200 requests in 1.00s, 1MB read\nRequests/sec:    199.50\nTransfer/sec: 1MB\n";
        assert_eq!(read(text), Some((200.0, 199.5)));
        assert_eq!(read(&format!("{text}  Non-2xx or 3xx responses: 3\n")), None);
        assert_eq!(read(&format!("{text}  Socket errors: connect 1\n")), None);
        assert_eq!(read("nothing"), None);
        assert!(own_seconds(std::process::id()).is_some());
    }
}
