//! What a body of changes makes of a record. A merge (RFC 7396) says it by itself; operations (RFC 6902) are checked as far as that is possible
//! without the record, and applied where its row is held. They change a field only to what a body could have said.

use crate::answer::Refusal;
use crate::body::Kind;
use crate::validation::{Check, MAX_DEPTH, MAX_ENTRIES, Why, Wrong, holds_nul, value, with_doubles};
use plan::procedure::{MAX_OPERATIONS, Patchable};
use plan::shape::{Presence, ShapeField};
use serde_json::Value as Json;
use store::Row;
use vocab::{Datum, FieldName, FieldType};

/// Deepest value of a field: the body that could have brought it is one level around it.
const MAX_FIELD_DEPTH: usize = MAX_DEPTH - 1;

/// A record made ready to be patched.
pub(crate) struct PatchCheck {
    pub check: Check,
    /// The fields that stay as they are.
    kept: Vec<FieldName>,
}

/// What a body asks for.
#[derive(Debug, Clone)]
pub(crate) enum Patch {
    Changes(Vec<Option<Datum>>),
    Operations(Vec<Operation>),
}

#[derive(Debug, Clone)]
pub(crate) struct Operation {
    act: Act,
    path: Place,
}

#[derive(Debug, Clone)]
enum Act {
    Add(Json),
    Remove,
    Replace(Json),
    Move(Place),
    Copy(Place),
    Test(Json),
}

/// A place in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// The field, counted through those that may change and those that stay.
    field: usize,
    /// The way inside of its document.
    inside: Vec<String>,
}

/// What is wrong with an operation, where in it.
type Misfit = (&'static str, Why);

impl PatchCheck {
    pub fn new(patchable: &Patchable, max_body_bytes: u64) -> Self {
        Self { check: Check::new(&patchable.shape, max_body_bytes), kept: patchable.kept.clone() }
    }

    /// Every field of the record, in the order in which a row is handed over to be patched.
    pub fn fields(patchable: &Patchable) -> impl Iterator<Item = &FieldName> {
        patchable.shape.fields.iter().map(|field| &field.name).chain(&patchable.kept)
    }

    /// What the body asks for, or everything that is wrong with it.
    pub fn read(&self, body: &Json, kind: Kind) -> Result<Patch, Vec<Wrong>> {
        match kind {
            Kind::Json | Kind::Csv => self.check.changes(body).map(Patch::Changes),
            Kind::JsonPatch => self.operations(body).map(Patch::Operations),
        }
    }

    fn operations(&self, body: &Json) -> Result<Vec<Operation>, Vec<Wrong>> {
        let refused = |why| Err(vec![Wrong::at("", why)]);
        let Json::Array(list) = body else { return refused(Why::new("type", "must be a list")) };
        if list.len() > MAX_OPERATIONS {
            return refused(Why::new("range", format!("must have at most {MAX_OPERATIONS} entries")));
        }
        let (mut operations, mut wrong) = (Vec::with_capacity(list.len()), Vec::new());
        for (index, entry) in list.iter().enumerate() {
            match self.operation(entry) {
                Ok(operation) => operations.push(operation),
                Err((place, why)) => wrong.push(Wrong::at(&format!("/{index}{place}"), why)),
            }
        }
        wrong.truncate(MAX_ENTRIES);
        if wrong.is_empty() { Ok(operations) } else { Err(wrong) }
    }

    fn operation(&self, entry: &Json) -> Result<Operation, Misfit> {
        let Json::Object(members) = entry else { return Err(("", Why::new("type", "must be an object"))) };
        let text = |name, place| match members.get(name) {
            None => Err((place, Why::new("required", "is required"))),
            Some(Json::String(text)) => Ok(text.as_str()),
            Some(_) => Err((place, Why::new("type", "must be a string"))),
        };
        let act = text("op", "/op")?;
        if !["add", "copy", "move", "remove", "replace", "test"].contains(&act) {
            return Err(("/op", Why::new("format", "must be one of add, copy, move, remove, replace, test")));
        }
        let path = self.place(text("path", "/path")?).map_err(|why| ("/path", why))?;
        if act != "test" && self.changeable(&path).is_none() {
            return Err(("/path", Why::new("read_only", "must stay as it is")));
        }
        let act = match act {
            "move" | "copy" => {
                let from = self.place(text("from", "/from")?).map_err(|why| ("/from", why))?;
                if act == "copy" {
                    return Ok(Operation { act: Act::Copy(from), path });
                }
                self.removable(&from).map_err(|why| ("/from", why))?;
                let holds = path.field == from.field && path.inside.starts_with(&from.inside);
                if holds && path != from {
                    return Err(("/from", Why::new("format", "must not hold the path")));
                }
                Act::Move(from)
            }
            "remove" => {
                self.removable(&path).map_err(|why| ("/path", why))?;
                Act::Remove
            }
            _ => {
                let given = members.get("value").ok_or_else(|| ("/value", Why::new("required", "is required")))?;
                if act == "test" {
                    return Ok(Operation { act: Act::Test(with_doubles(given)), path });
                }
                let given = self.fitting(&path, given).map_err(|why| ("/value", why))?;
                if act == "add" { Act::Add(given) } else { Act::Replace(given) }
            }
        };
        Ok(Operation { act, path })
    }

    /// RFC 6901. The record itself is no place: `PUT` is for that.
    fn place(&self, text: &str) -> Result<Place, Why> {
        let is_pointer = text.starts_with('/') && !text.replace("~0", "").replace("~1", "").contains('~');
        if !is_pointer {
            return Err(Why::new("format", "must be the path of a field such as /name"));
        }
        let mut segments = text[1..].split('/').map(|segment| segment.replace("~1", "/").replace("~0", "~"));
        let name = segments.next().unwrap_or_default();
        let inside: Vec<String> = segments.collect();
        if inside.iter().any(|segment| segment.contains('\0')) {
            return Err(Why::new("invalid_character", "must not contain control characters"));
        }
        let names = self.check.fields().iter().map(|field| &field.name).chain(&self.kept);
        let field = { names }.position(|known| known.as_str() == name);
        let holds = |field: &usize| inside.is_empty() || self.field(*field).is_some_and(is_document);
        match field.filter(holds) {
            Some(field) => Ok(Place { field, inside }),
            None => Err(Why::new("unknown_field", "is not a known field")),
        }
    }

    fn field(&self, index: usize) -> Option<&ShapeField> {
        self.check.fields().get(index)
    }

    fn changeable(&self, place: &Place) -> Option<&ShapeField> {
        self.field(place.field)
    }

    /// What is removed leaves a field empty, or goes from inside of one.
    fn removable(&self, place: &Place) -> Result<(), Why> {
        match self.changeable(place) {
            None => Err(Why::new("read_only", "must stay as it is")),
            Some(field) if place.inside.is_empty() && field.presence == Presence::Required => {
                Err(Why::new("required", "is required"))
            }
            Some(_) => Ok(()),
        }
    }

    /// The value as it is kept at that place.
    fn fitting(&self, place: &Place, given: &Json) -> Result<Json, Why> {
        match self.changeable(place).filter(|_| place.inside.is_empty()) {
            Some(field) => value(field, given).map(|datum| datum.to_json()),
            None if holds_nul(given) => Err(Why::new("invalid_character", "must not contain control characters")),
            None => Ok(with_doubles(given)),
        }
    }

    /// The record of changes that comes of a row with [`Self::fields`].
    ///
    /// # Errors
    /// An operation does not fit the row.
    pub fn applied(&self, patch: Patch, row: Row) -> Result<Vec<Option<Datum>>, Refusal> {
        let operations = match patch {
            Patch::Changes(changes) => return Ok(changes),
            Patch::Operations(operations) => operations,
        };
        let before: Vec<Json> = row.iter().map(|datum| with_doubles(&datum.to_json())).collect();
        let mut record = before.clone();
        for (index, operation) in operations.into_iter().enumerate() {
            let misfit = |(place, why)| Refusal::patch_failed(Wrong::at(&format!("/{index}{place}"), why));
            self.apply(operation, &mut record).map_err(misfit)?;
        }
        let changed = |(field, (is, was)): (&ShapeField, (&Json, &Json))| {
            let of = || value(field, is).map_err(|why| Refusal::patch_failed(Wrong::field(field.name.as_str(), why)));
            (is != was).then(of).transpose()
        };
        self.check.fields().iter().zip(record.iter().zip(&before)).map(changed).collect()
    }

    fn apply(&self, Operation { act, path }: Operation, record: &mut [Json]) -> Result<(), Misfit> {
        let missing = |place| move || (place, Why::new("missing", "must lead to something that is there"));
        match act {
            Act::Test(wanted) => {
                let found = found(record, &path).ok_or_else(missing("/path"))?;
                let failed = || ("/value", Why::new("test_failed", "must be what the record has"));
                return if *found == wanted { Ok(()) } else { Err(failed()) };
            }
            Act::Add(given) => add(record, &path, given).ok_or_else(missing("/path"))?,
            Act::Replace(given) => *found_mut(record, &path).ok_or_else(missing("/path"))? = given,
            Act::Remove => {
                remove(record, &path).ok_or_else(missing("/path"))?;
            }
            Act::Move(from) => {
                let moved = remove(record, &from).ok_or_else(missing("/from"))?;
                self.settle(&from, record).map_err(|why| ("/from", why))?;
                add(record, &path, moved).ok_or_else(missing("/path"))?;
            }
            Act::Copy(from) => {
                let copied = found(record, &from).ok_or_else(missing("/from"))?.clone();
                // Documents that hold copies of themselves would double with each of them.
                let is_whole = from.inside.is_empty() && path.inside.is_empty();
                if !is_whole && (copied.is_object() || copied.is_array()) {
                    return Err(("/from", Why::new("type", "must lead to no object and no list")));
                }
                add(record, &path, copied).ok_or_else(missing("/path"))?;
            }
        }
        self.settle(&path, record).map_err(|why| ("/path", why))
    }

    /// The field holds what a body could have said, in the form in which it is kept.
    fn settle(&self, place: &Place, record: &mut [Json]) -> Result<(), Why> {
        let Some(field) = self.changeable(place) else { return Ok(()) };
        let held = &mut record[place.field];
        if is_document(field) && !held.is_null() {
            if depth_of(held) > MAX_FIELD_DEPTH {
                return Err(Why::new("range", format!("must be at most {MAX_FIELD_DEPTH} levels deep")));
            }
            let most = self.check.max_body_bytes;
            if held.to_string().len() as u64 > most {
                return Err(Why::new("too_long", format!("must have at most {most} bytes")));
            }
        }
        *held = value(field, held)?.to_json();
        Ok(())
    }
}

fn is_document(field: &ShapeField) -> bool {
    field.field_type == FieldType::Json
}

fn found<'r>(record: &'r [Json], place: &Place) -> Option<&'r Json> {
    place.inside.iter().try_fold(&record[place.field], |held, segment| match held {
        Json::Object(members) => members.get(segment),
        Json::Array(items) => items.get(index(segment)?),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
    })
}

fn found_mut<'r>(record: &'r mut [Json], place: &Place) -> Option<&'r mut Json> {
    place.inside.iter().try_fold(&mut record[place.field], |held, segment| match held {
        Json::Object(members) => members.get_mut(segment),
        Json::Array(items) => items.get_mut(index(segment)?),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => None,
    })
}

/// What holds the place, and the last step to it; none where the place is a field.
fn holder<'r, 'p>(record: &'r mut [Json], place: &'p Place) -> Option<(Option<&'r mut Json>, &'p str)> {
    let (last, way) = place.inside.split_last()?;
    let above = Place { field: place.field, inside: way.to_vec() };
    Some((found_mut(record, &above), last))
}

/// None where there is no such place.
fn add(record: &mut [Json], place: &Place, given: Json) -> Option<()> {
    match holder(record, place) {
        None => record[place.field] = given,
        Some((Some(Json::Object(members)), name)) => {
            members.insert(name.to_owned(), given);
        }
        Some((Some(Json::Array(items)), at)) => {
            let at = if at == "-" { items.len() } else { index(at).filter(|at| *at <= items.len())? };
            items.insert(at, given);
        }
        Some(_) => return None,
    }
    Some(())
}

/// What was there; none where nothing was.
fn remove(record: &mut [Json], place: &Place) -> Option<Json> {
    match holder(record, place) {
        None => Some(record[place.field].take()),
        Some((Some(Json::Object(members)), name)) => members.shift_remove(name),
        Some((Some(Json::Array(items)), at)) => {
            let at = index(at).filter(|at| *at < items.len())?;
            Some(items.remove(at))
        }
        Some(_) => None,
    }
}

/// RFC 6901, 4: without leading zeros.
fn index(segment: &str) -> Option<usize> {
    let is_number = segment == "0" || !segment.starts_with('0') && segment.bytes().all(|byte| byte.is_ascii_digit());
    segment.parse().ok().filter(|_| is_number)
}

fn depth_of(value: &Json) -> usize {
    match value {
        Json::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Json::Object(members) => 1 + members.values().map(depth_of).max().unwrap_or(0),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validation::Spot;
    use plan::Problem;
    use plan::shape::Shape;
    use serde_json::json;
    use vocab::Bounds;

    fn check() -> PatchCheck {
        let field = |name: &str, field_type, presence, default: Option<Datum>| ShapeField {
            name: FieldName::parse(name).unwrap(),
            field_type,
            format: None,
            presence,
            min_length: 0,
            max_length: None,
            bounds: Bounds::default(),
            default,
            entries: None,
            words: Vec::new(),
            description: String::new(),
        };
        let optional = Presence::Optional;
        let fields = vec![
            field("name", FieldType::Line { max: 20 }, Presence::Required, None),
            field("note", FieldType::Text { max: 200 }, optional, Some(Datum::Text("none".to_owned()))),
            field("price", FieldType::Decimal { scale: 2 }, optional, None),
            field("tags", FieldType::Json, optional, None),
        ];
        let shape = Shape { name: "Thing".to_owned(), fields };
        PatchCheck::new(&Patchable { shape, kept: vec![FieldName::parse("id").unwrap()] }, 65_536)
    }

    fn asked(operations: &Json) -> Result<Vec<Option<Datum>>, Refusal> {
        let text = |text: &str| Datum::Text(text.to_owned());
        let tags = Datum::Json(json!({"list": ["a", "b"], "a/b": {"n": 1}}));
        let patch = check().read(operations, Kind::JsonPatch).map_err(Refusal::validation_failed)?;
        check().applied(patch, vec![text("Lamp"), text("old"), Datum::Null, tags, text("1")])
    }

    #[test]
    fn operations() {
        let cases: Vec<Json> = serde_json::from_str(include_str!("../../emit/node/lib/test/patches.json")).unwrap();
        for case in cases {
            let asked = asked(&case["operations"]);
            if let Some(changes) = case.get("changes") {
                let names = ["name", "note", "price", "tags"];
                let given = names.iter().zip(asked.unwrap());
                let given = given.filter_map(|(name, datum)| Some(((*name).to_owned(), datum?.to_json())));
                assert_eq!(given.collect::<Json>(), *changes, "{case}");
                continue;
            }
            let refusal = asked.unwrap_err();
            let status = if refusal.problem == Problem::PatchFailed { 409 } else { 422 };
            assert_eq!(status, case["status"], "{case}");
            let answer: Json = serde_json::from_slice(&refusal.into_answer("1").body).unwrap();
            let wrong = answer["errors"].as_array().unwrap().iter();
            let text = |member: &Json| member.as_str().unwrap().to_owned();
            let wrong = wrong.map(|one| format!("{} {}", text(&one["pointer"]), text(&one["code"])));
            assert_eq!(wrong.collect::<Json>(), case["errors"], "{case}");
        }
    }

    #[test]
    fn a_merge_says_its_changes_by_itself() {
        let patch = check().read(&json!({"note": null}), Kind::Json).unwrap();
        let note = Some(Datum::Text("none".to_owned()));
        assert_eq!(check().applied(patch, Vec::new()).unwrap(), [None, note, None, None]);
        let wrong = check().read(&json!([]), Kind::Json).unwrap_err();
        assert_eq!((&wrong[0].place, wrong[0].code), (&Spot::Body(String::new()), "type"));
    }
}
