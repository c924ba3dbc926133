//! The table of devices on the path: read and checked, with every mistake told at its line and column.
//!
//! It is read into the types of [`crate::middlebox`], which does the comparing. A user's own file has the same format.

use super::rules::LoadError;
use super::source::{Placed, Source, packed};
use crate::middlebox::{
    CloseMark, Counts, CutKind, Device, Grade, Head, Layer, Limit, LimitKind, Middleboxes, Round, Sign, Snippet,
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

/// The table that is compiled in.
pub fn builtin() -> &'static Arc<Middleboxes> {
    static TABLE: LazyLock<Arc<Middleboxes>> = LazyLock::new(|| {
        let (devices, round) =
            read(packed!("data", "middleboxes")).expect("the embedded devices are valid: a unit test loads them");
        Arc::new(Middleboxes::new(devices, round))
    });
    &TABLE
}

/// Reads and checks devices, for [`Middleboxes::with`].
///
/// # Errors
/// The first mistake, with file, line and column: TOML that does not fit, a name that is malformed or doubled, a device
/// that cannot be met, a limit that cannot be meant as it is written.
pub fn parse(file: &str, text: &str) -> Result<Vec<Device>, LoadError> {
    read(Source::toml(file, text)).map(|(devices, _)| devices)
}

fn read(source: Source<'_>) -> Result<(Vec<Device>, Round), LoadError> {
    let raw: RawFile = source.read()?;
    let mut names = HashSet::new();
    let mut devices = Vec::new();
    for device in raw.device {
        let span = device.name.span();
        let wrong = |what: &str| source.error(span.clone(), format!("device `{}` {what}", device.name.get_ref()));
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if device.name.get_ref().is_empty() || !device.name.get_ref().bytes().all(is_name) {
            return Err(wrong("has a name that is not lowercase-with-dashes"));
        }
        if !names.insert(device.name.get_ref().clone()) {
            return Err(wrong("is listed twice"));
        }
        if device.title.trim().is_empty() {
            return Err(wrong("has no title"));
        }
        let limits = device.limit.iter().map(|limit| {
            limit.get_ref().read().map_err(|what| source.error(limit.span(), format!("this limit {what}")))
        });
        let limits = limits.collect::<Result<Vec<_>, _>>()?;
        let layer = word(Layer::ALL, Layer::name, &device.layer).map_err(|what| wrong(&what))?;
        let signs = device.signs();
        if signs.is_empty() && layer != Layer::Tcp {
            return Err(wrong("cannot be recognised: it reads the handshake, so what does it leave there?"));
        }
        devices.push(Device {
            name: device.name.get_ref().as_str().into(),
            title: device.title.as_str().into(),
            layer,
            signs,
            always_shows: device.always_shows,
            limits,
        });
    }
    Ok((devices, Round { idle: ascending(raw.round.idle), lifetime: ascending(raw.round.lifetime) }))
}

fn ascending(mut seconds: Vec<f64>) -> Vec<f64> {
    seconds.retain(|value| value.is_finite() && *value > 0.0);
    seconds.sort_by(f64::total_cmp);
    seconds
}

/// A device, as programs read it.
#[derive(Debug, Serialize)]
pub struct DeviceRow<'a> {
    /// The stable name.
    pub name: &'a str,
    /// What people call it.
    pub title: &'a str,
    /// `http`, `tcp` or `service`.
    pub layer: &'static str,
    /// Its limits.
    pub limits: Vec<LimitRow<'a>>,
}

/// A limit, as programs read it; seconds throughout.
#[derive(Debug, Serialize)]
pub struct LimitRow<'a> {
    /// `idle`, `lifetime` or `drain`.
    pub kind: &'static str,
    /// Defaults; none when it is off unless set.
    pub seconds: &'a [f64],
    /// What packages and guides set besides.
    pub usual: &'a [f64],
    /// What can be set.
    pub range: Option<[f64; 2]>,
    /// Whose bytes count as traffic; `None` where that does not matter.
    pub counts: Option<&'static str>,
    /// How it ends the connection on the leg to the client; empty when not known.
    pub client: Vec<&'static str>,
    /// The same on the leg to the server.
    pub upstream: Vec<&'static str>,
    /// The setting; `None` where it cannot be changed.
    pub setting: Option<&'a str>,
    /// Where it is set.
    pub place: Option<&'a str>,
    /// How another value is written.
    pub snippet: Option<String>,
    /// How well it is known.
    pub grade: &'static str,
    /// The version that was measured.
    pub version: Option<&'a str>,
    /// Where that is from.
    pub source: &'a str,
}

/// The devices, as programs read them.
#[must_use]
pub fn rows<'a>(table: &'a Middleboxes) -> Vec<DeviceRow<'a>> {
    fn limit(limit: &Limit) -> LimitRow<'_> {
        LimitRow {
            kind: limit.kind.name(),
            seconds: &limit.seconds,
            usual: &limit.usual,
            range: limit.range.as_ref().map(|range| [*range.start(), *range.end()]),
            counts: (limit.kind == LimitKind::Idle).then(|| limit.counts.name()),
            client: limit.client.iter().map(|cut| cut.name()).collect(),
            upstream: limit.upstream.iter().map(|cut| cut.name()).collect(),
            setting: limit.setting.as_deref(),
            place: limit.place.as_deref(),
            snippet: limit.snippet.as_ref().map(Snippet::template),
            grade: limit.grade.name(),
            version: limit.version.as_deref(),
            source: &limit.source,
        }
    }
    let device = |device: &'a Arc<Device>| {
        let Device { name, title, layer, limits, .. } = &**device;
        DeviceRow { name, title, layer: layer.name(), limits: limits.iter().map(limit).collect() }
    };
    table.all().iter().map(device).collect()
}

/// The variant with this name.
fn word<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, written: &str) -> Result<T, String> {
    let found = all.iter().copied().find(|each| name(*each) == written);
    found.ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|each| name(*each)).collect();
        format!("says `{written}`, which is none of {}", known.join(", "))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    round: RawRound,
    #[serde(default)]
    device: Vec<RawDevice>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawRound {
    #[serde(default)]
    idle: Vec<f64>,
    #[serde(default)]
    lifetime: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDevice {
    name: Placed<String>,
    title: String,
    layer: String,
    #[serde(default)]
    response: RawMarks,
    #[serde(default)]
    request: RawRequestMarks,
    #[serde(default)]
    hosts: Vec<String>,
    #[serde(default)]
    subprotocols: Vec<String>,
    #[serde(default)]
    always_shows: bool,
    #[serde(default)]
    limit: Vec<Placed<RawLimit>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawMarks {
    #[serde(default)]
    server: Vec<String>,
    #[serde(default)]
    via: Vec<String>,
    #[serde(default)]
    fields: Vec<String>,
    #[serde(default)]
    cookies: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawRequestMarks {
    #[serde(default)]
    via: Vec<String>,
    #[serde(default)]
    fields: Vec<String>,
}

impl RawDevice {
    /// What it leaves in a handshake, in lower case; an empty text would be found everywhere.
    fn signs(&self) -> Vec<Sign> {
        let of = |texts: &[String], sign: fn(Box<str>) -> Sign| -> Vec<Sign> {
            let told = texts.iter().map(|text| text.trim().to_ascii_lowercase());
            told.filter(|text| !text.is_empty() && text != "*").map(|text| sign(text.into())).collect()
        };
        [
            of(&self.response.server, Sign::Server),
            of(&self.response.via, |text| Sign::Via(Head::Response, text)),
            of(&self.response.fields, |text| Sign::Field(Head::Response, text)),
            of(&self.response.cookies, Sign::Cookie),
            of(&self.request.via, |text| Sign::Via(Head::Request, text)),
            of(&self.request.fields, |text| Sign::Field(Head::Request, text)),
            of(&self.hosts, Sign::Host),
            of(&self.subprotocols, Sign::Subprotocol),
        ]
        .concat()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    kind: String,
    #[serde(default)]
    seconds: Vec<f64>,
    #[serde(default)]
    usual: Vec<f64>,
    range: Option<[f64; 2]>,
    counts: Option<String>,
    #[serde(default)]
    client: Vec<String>,
    #[serde(default)]
    upstream: Vec<String>,
    close: Option<RawClose>,
    #[serde(default)]
    tolerance: f64,
    setting: Option<String>,
    #[serde(rename = "where")]
    place: Option<String>,
    snippet: Option<String>,
    #[serde(default = "documented")]
    grade: String,
    version: Option<String>,
    source: String,
}

/// Who writes down the limit of a device of their own knows it.
fn documented() -> String {
    Grade::Documented.name().to_owned()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClose {
    code: u16,
    #[serde(default)]
    reason: String,
}

impl RawLimit {
    fn read(&self) -> Result<Limit, String> {
        let kind = word(LimitKind::ALL, LimitKind::name, &self.kind)?;
        let counts = match (&self.counts, kind) {
            (Some(counts), LimitKind::Idle) => word(Counts::ALL, Counts::name, counts)?,
            (None, LimitKind::Idle) => Counts::Either,
            (Some(_), _) => return Err("counts traffic although it is no idle limit".to_owned()),
            (None, _) => Counts::Either,
        };
        let cuts = |written: &[String]| {
            written.iter().map(|cut| word(CutKind::ALL, CutKind::name, cut)).collect::<Result<_, _>>()
        };
        let client: Vec<CutKind> = cuts(&self.client)?;
        let upstream: Vec<CutKind> = cuts(&self.upstream)?;
        let closes = client.iter().chain(&upstream).any(|cut| *cut == CutKind::Close);
        if closes != self.close.is_some() {
            return Err("ends with a Close frame and does not say which, or says which and does not".to_owned());
        }
        let is_time = |seconds: f64| seconds.is_finite() && seconds >= 0.0;
        let times = self.seconds.iter().chain(&self.usual).chain(self.range.iter().flatten()).chain([&self.tolerance]);
        if !times.copied().all(is_time) {
            return Err("has a time that is none".to_owned());
        }
        let snippet = self.snippet.as_ref().map(|text| {
            Snippet::parse(text)
                .ok_or_else(|| "needs one {seconds}, {minutes} or {milliseconds} in its snippet".to_owned())
        });
        if self.snippet.is_some() && self.setting.is_none() {
            return Err("can be written but has no name: `setting` is missing".to_owned());
        }
        if self.seconds.is_empty() && self.setting.is_none() {
            return Err("has no value and cannot be set".to_owned());
        }
        if self.source.trim().is_empty() {
            return Err("has no source".to_owned());
        }
        Ok(Limit {
            kind,
            seconds: self.seconds.clone(),
            usual: self.usual.clone(),
            range: self.range.map(|[least, most]| least..=most),
            counts,
            client,
            upstream,
            close: self
                .close
                .as_ref()
                .map(|close| CloseMark { code: close.code, reason: close.reason.as_str().into() }),
            tolerance: self.tolerance,
            setting: self.setting.as_deref().map(Into::into),
            place: self.place.as_deref().map(Into::into),
            snippet: snippet.transpose()?,
            grade: word(Grade::ALL, Grade::name, &self.grade)?,
            version: self.version.as_deref().map(Into::into),
            source: self.source.as_str().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_no_two_devices_share_a_mark() {
        let devices = builtin().all();
        assert!(devices.len() > 25, "{}", devices.len());
        for device in devices {
            assert!(
                device.limits.iter().all(|limit| limit.snippet.as_ref().is_none_or(|text| text.template().len() < 160))
            );
        }
    }

    #[test]
    fn mistakes_are_told_where_they_are() {
        let limit = |line: &str| {
            format!(
                "[[device]]\nname = \"box\"\ntitle = \"Box\"\nlayer = \"tcp\"\n\n[[device.limit]]\nsource = \"x\"\n{line}\n"
            )
        };
        for (toml, line, what) in [
            ("[[device]]\nname = \"Box\"\ntitle = \"Box\"\nlayer = \"tcp\"\n".to_owned(), 2, "lowercase"),
            ("[[device]]\nname = \"box\"\ntitle = \"Box\"\nlayer = \"http\"\n".to_owned(), 2, "cannot be recognised"),
            (
                "[[device]]\nname = \"box\"\ntitle = \"Box\"\nlayer = \"ftp\"\n".to_owned(),
                2,
                "none of http, tcp, service",
            ),
            (limit("kind = \"idle\"\nseconds = [60]\nsnipet = \"x\""), 10, "unknown field"),
            (limit("kind = \"idle\""), 6, "cannot be set"),
            (limit("kind = \"lifetime\"\nseconds = [60]\ncounts = \"either\""), 6, "no idle limit"),
            (limit("kind = \"idle\"\nseconds = [60]\nclient = [\"close\"]"), 6, "does not say which"),
            (limit("kind = \"idle\"\nseconds = [60]\nsetting = \"x\"\nsnippet = \"x 60\""), 6, "{seconds}"),
        ] {
            let error = parse("own.toml", &toml).expect_err(what);
            assert!(error.message.contains(what), "{error}");
            assert_eq!((error.file.as_str(), error.line), ("own.toml", line), "{error}");
        }
    }

    #[test]
    fn an_own_device_goes_first_and_takes_the_place_of_its_namesake() {
        let own = "[[device]]\nname = \"nginx\"\ntitle = \"our nginx\"\nlayer = \"http\"\nresponse = { server = [\"NGINX\"] }\n\
                   [[device.limit]]\nkind = \"idle\"\nseconds = [77]\nsource = \"our configuration\"\n";
        let all = builtin().with(parse("own.toml", own).expect("a device"));
        assert_eq!(all.all().len(), builtin().all().len());
        assert_eq!((&*all.all()[0].title, all.all()[0].limits[0].seconds[0]), ("our nginx", 77.0));
        assert_eq!(all.all()[0].signs, [Sign::Server("nginx".into())]);
    }
}
