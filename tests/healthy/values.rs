//! Rows as banger writes them: every text, JSON, time and address that it could.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use rusqlite::{Connection, params};

/// An image; its id and the uniqueness of its name come from its number.
#[derive(Debug, Clone)]
pub struct Image {
    name: Text,
    managed: bool,
    paths: [Option<Text>; 4],
    required: [Text; 2],
    labels: [Option<Text>; 2],
    times: [String; 2],
}

/// A VM; its id and the uniqueness of its name and address come from its number.
#[derive(Debug, Clone)]
pub struct Vm {
    name: Text,
    ip: Ip,
    state: &'static str,
    times: [String; 3],
    json: [Text; 4],
}

/// Text that is shown by its beginning, so that a failure can be read.
#[derive(Clone)]
struct Text(String);

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() <= 300 {
            return self.0.fmt(f);
        }
        let beginning: String = self.0.chars().take(60).collect();
        write!(f, "{beginning:?} and so on, {} bytes", self.0.len())
    }
}

#[derive(Debug, Clone, Copy)]
enum Ip {
    V4(u16),
    V6(u128),
    /// With a zone, as Go writes it.
    LinkLocal,
}

pub fn image() -> impl Strategy<Value = Image> {
    let optional = || prop::option::of(text());
    (
        text(),
        any::<bool>(),
        [optional(), optional(), optional(), optional()],
        [text(), text()],
        [optional(), optional()],
        [time(), time()],
    )
        .prop_map(|(name, managed, paths, required, labels, times)| Image {
            name,
            managed,
            paths,
            required,
            labels,
            times,
        })
}

pub fn vm() -> impl Strategy<Value = Vm> {
    let ip = prop_oneof![
        any::<u16>().prop_map(Ip::V4),
        any::<u128>().prop_map(Ip::V6),
        Just(Ip::LinkLocal)
    ];
    let state = prop::sample::select(&["running", "stopped", "created", "error"][..]);
    (text(), ip, state, [time(), time(), time()], [json(), json(), json(), json()]).prop_map(
        |(name, ip, state, times, json)| Vm {
            name,
            ip,
            state,
            times,
            json,
        },
    )
}

/// Any characters but control characters; none at all, too.
fn text() -> impl Strategy<Value = Text> {
    let any_text = vec(any::<char>().prop_map(|c| if c.is_control() { '\u{fffd}' } else { c }), 0..24);
    prop_oneof![
        6 => "[a-z0-9-]{0,40}".prop_map(Text),
        3 => any_text.prop_map(|chars| Text(chars.into_iter().collect())),
        1 => ("[a-zé中🦀]", 100_usize..3_000).prop_map(|(text, times)| Text(text.repeat(times))),
    ]
}

/// A time as Go's `RFC3339Nano` writes it: up to nine digits without trailing zeros, `Z` or an offset.
fn time() -> impl Strategy<Value = String> {
    let date = (0_u16..=9999, 1_u8..=12, 1_u8..=28, 0_u8..24, 0_u8..60, 0_u8..60);
    let nanoseconds = prop_oneof![
        Just(0_u32),
        0..1_000_000_000_u32,
        (0..1000_u32).prop_map(|ms| ms * 1_000_000)
    ];
    let offset = prop_oneof![Just(None), (any::<bool>(), 0_u8..=14, 0_u8..60).prop_map(Some)];
    (date, nanoseconds, offset).prop_map(|((year, month, day, hour, minute, second), nanoseconds, offset)| {
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
        if nanoseconds > 0 {
            text += format!(".{nanoseconds:09}").trim_end_matches('0');
        }
        match offset {
            None => text + "Z",
            Some((west, hours, minutes)) => text + &format!("{}{hours:02}:{minutes:02}", if west { '-' } else { '+' }),
        }
    })
}

/// One JSON object with anything in it that RFC 8259 allows.
fn json() -> impl Strategy<Value = Text> {
    prop_oneof![
        40 => Just(Text(r#"{"vcpu_count":2,"memory_mib":2048,"nat":true}"#.to_owned())),
        20 => object().prop_map(Text),
        2 => (1_usize..9_000).prop_map(|depth| Text(format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth)))),
        // Around the length from which values are read in pieces, and of several MiB, less than one store in two.
        1 => long_object().prop_map(Text),
    ]
}

fn long_object() -> impl Strategy<Value = String> {
    let length = prop_oneof![
        20 => 4_000_usize..70_000,
        1 => (1_usize << 20) - 40..(1 << 20) + 40,
        1 => 300_000_usize..700_000,
        1 => 2_usize << 20..5 << 20,
    ];
    ("[a-zé中🦀]", length).prop_map(|(filling, length)| {
        let filling = filling.repeat(length / filling.len());
        format!("{{\"log\": \"{filling}\"}}")
    })
}

fn object() -> impl Strategy<Value = String> {
    let value = scalar().prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|values| format!("[{}]", values.join(","))),
            members(inner).boxed(),
        ]
    });
    (blank(), members(value), blank()).prop_map(|(before, object, after)| before + &object + &after)
}

/// An object; names may come twice.
fn members(value: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    vec((string(), blank(), value), 0..5).prop_map(|members| {
        let members: Vec<String> = members
            .into_iter()
            .map(|(name, blank, value)| format!("{name}{blank}:{blank}{value}"))
            .collect();
        format!("{{{}}}", members.join(","))
    })
}

fn scalar() -> impl Strategy<Value = String> {
    let literal = prop::sample::select(&["null", "true", "false", "0", "-0", "{}", "[ ]", "\"\""][..]);
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?";
    prop_oneof![literal.prop_map(str::to_owned), number, string()]
}

/// A string with every escape, halves of surrogate pairs, and characters that are control characters beyond JSON's.
fn string() -> impl Strategy<Value = String> {
    let escape = prop::sample::select(
        &[
            "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t", "\\u0000", "\\uD83D", "\\udc00", "\\u2028",
            "\u{7f}", "\u{9b}",
        ][..],
    );
    let plain = any::<char>()
        .prop_map(|c| {
            if c < ' ' || matches!(c, '"' | '\\') {
                '\u{ffff}'
            } else {
                c
            }
        })
        .prop_map(String::from);
    let piece = prop_oneof![1 => escape.prop_map(str::to_owned), 3 => plain];
    vec(piece, 0..12).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn blank() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just(String::new()), 1 => "[ \t\r\n]{1,3}"]
}

/// An id that is a UUID, made from a number.
fn id(table: u32, n: usize) -> String {
    format!("6f9c2f0e-5a53-4d0b-{:04x}-{n:012x}", 0x9000 + table)
}

impl Image {
    pub fn insert(&self, conn: &Connection, n: usize) {
        let sql = "INSERT INTO images(id, name, managed, artifact_dir, work_seed_path, initrd_path, modules_dir,
                   rootfs_path, kernel_path, build_size, seeded_ssh_public_key_fingerprint, created_at, updated_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let optional = |text: &Option<Text>| text.as_ref().map(|text| text.0.clone());
        conn.execute(
            sql,
            params![
                id(1, n),
                format!("{}-{n}", self.name.0),
                self.managed,
                optional(&self.paths[0]),
                optional(&self.paths[1]),
                optional(&self.paths[2]),
                optional(&self.paths[3]),
                self.required[0].0,
                self.required[1].0,
                optional(&self.labels[0]),
                optional(&self.labels[1]),
                self.times[0],
                self.times[1],
            ],
        )
        .unwrap();
    }
}

impl Vm {
    pub fn insert(&self, conn: &Connection, n: usize, image: usize, has_workspace: bool) {
        let sql =
            "INSERT INTO vms(id, name, image_id, guest_ip, state, created_at, updated_at, last_touched_at, spec_json,
                   runtime_json, stats_json) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        conn.execute(
            sql,
            params![
                id(2, n),
                format!("{}-{n}", self.name.0),
                id(1, image),
                self.ip.nth(n),
                self.state,
                self.times[0],
                self.times[1],
                self.times[2],
                self.json[0].0,
                self.json[1].0,
                self.json[2].0,
            ],
        )
        .unwrap();
        if has_workspace {
            conn.execute("UPDATE vms SET workspace_json = ?1 WHERE id = ?2", params![self.json[3].0, id(2, n)])
                .unwrap();
        }
    }
}

impl Ip {
    /// An address of this kind that no other VM has.
    fn nth(self, n: usize) -> String {
        let n = u8::try_from(n).unwrap();
        match self {
            Self::V4(middle) => {
                let [b, c] = middle.to_be_bytes();
                Ipv4Addr::new(10, b, c, n).to_string()
            }
            Self::V6(bits) => Ipv6Addr::from_bits(bits & !0xff | u128::from(n)).to_string(),
            Self::LinkLocal => format!("fe80::{n:x}%tap{n}"),
        }
    }
}
