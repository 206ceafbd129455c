//! Random changes of a database task: a schema comes in, what its author might make of it goes out. Most are changes that can be
//! carried out; some must be refused clearly.

use super::schemas::{Known, Random, a_column, column_name, constraint, index, relationships, table, table_name};
use serde_json::{Map, Value as Json, json};

/// The schema after some changes.
pub fn changed(random: &mut Random, schema: &Json, catalogue: &[String]) -> Json {
    let mut schema = schema.clone();
    for _ in 0..=random.below(4) {
        change(random, &mut schema, catalogue);
    }
    schema
}

fn change(random: &mut Random, schema: &mut Json, catalogue: &[String]) {
    match random.below(12) {
        0 => drop_table(random, schema),
        1 => add_table(random, schema, catalogue),
        2 => rename_table(random, schema),
        3 => change_relationships(random, schema),
        _ => change_table(random, schema),
    }
}

fn name_of(table: &Json) -> String {
    table.as_str().or_else(|| table["name"].as_str()).unwrap_or_default().to_owned()
}

fn known(schema: &Json) -> Vec<Known> {
    let tables = schema["tables"].as_array().into_iter().flatten();
    tables
        .map(|table| {
            let has_own_key =
                table["constraints"].as_array().into_iter().flatten().any(|rule| rule.get("primary_key").is_some());
            let is_usual = !has_own_key && table["columns"].get("id").is_none();
            Known { name: name_of(table), key: is_usual.then(|| ("id".to_owned(), "uuid")) }
        })
        .collect()
}

fn drop_table(random: &mut Random, schema: &mut Json) {
    let Some(tables) = schema["tables"].as_array_mut().filter(|tables| tables.len() > 1) else { return };
    let at = random.below(tables.len());
    let gone = name_of(&tables.remove(at));
    for table in tables.iter_mut() {
        let Some(columns) = table.get_mut("columns").and_then(Json::as_object_mut) else { continue };
        for column in columns.values_mut().filter(|column| leads_to(column, &gone)) {
            column.as_object_mut().unwrap().shift_remove("references");
        }
    }
    if let Some(relationships) = schema["relationships"].as_array_mut() {
        relationships.retain(|relationship| match relationship.as_str() {
            Some(phrase) => !phrase.starts_with(&format!("{gone}_to_")) && !phrase.ends_with(&format!("_to_{gone}")),
            None => relationship["from"] != json!(gone) && relationship["to"] != json!(gone),
        });
    }
}

fn leads_to(column: &Json, table: &str) -> bool {
    let reference = &column["references"];
    let words = reference.as_str().or_else(|| reference["table"].as_str());
    words.is_some_and(|words| words == table || words.starts_with(&format!("{table}.")))
}

fn add_table(random: &mut Random, schema: &mut Json, catalogue: &[String]) {
    let known = known(schema);
    let name = table_name(random, catalogue, &known);
    if known.iter().any(|table| table.name == name) {
        return;
    }
    let new = match random.percent(35) {
        true => json!(name),
        false => table(random, &name, &known).0,
    };
    let tables = schema["tables"].as_array_mut().unwrap();
    let at = random.below(tables.len() + 1);
    tables.insert(at, new);
}

/// What leads to it is renamed too, or refused clearly where a phrase names it.
fn rename_table(random: &mut Random, schema: &mut Json) {
    let tables = schema["tables"].as_array_mut().unwrap();
    let at = random.below(tables.len());
    let old = name_of(&tables[at]);
    let new = format!("{old}_x").chars().skip(old.len().saturating_sub(61)).collect::<String>();
    if !new.starts_with(|letter: char| letter.is_ascii_lowercase()) || tables.iter().any(|table| name_of(table) == new)
    {
        return;
    }
    let Some(block) = tables[at].as_object_mut().filter(|block| !block.contains_key("renamed_from")) else { return };
    block.insert("name".to_owned(), json!(new));
    block.insert("renamed_from".to_owned(), json!(old));
    for table in tables.iter_mut() {
        let Some(columns) = table.get_mut("columns").and_then(Json::as_object_mut) else { continue };
        for column in columns.values_mut().filter(|column| leads_to(column, &old)) {
            let reference = &mut column["references"];
            match reference.as_str() {
                Some(words) => *reference = json!(words.replacen(&old, &new, 1)),
                None => reference["table"] = json!(new),
            }
        }
    }
    for relationship in schema.get_mut("relationships").and_then(Json::as_array_mut).into_iter().flatten() {
        for end in ["from", "to"] {
            if relationship.get(end) == Some(&json!(old)) {
                relationship[end] = json!(new);
            }
        }
    }
}

fn change_relationships(random: &mut Random, schema: &mut Json) {
    let new = relationships(random, &known(schema));
    let old = schema.get("relationships").and_then(Json::as_array).cloned().unwrap_or_default();
    let mut changed: Vec<Json> = old.into_iter().filter(|_| random.percent(60)).collect();
    for relationship in new {
        let ends = |relationship: &Json| (relationship["from"].clone(), relationship["to"].clone());
        let is_there = |other: &Json| match relationship.is_string() {
            true => *other == relationship,
            false => !other.is_string() && ends(other) == ends(&relationship),
        };
        if !changed.iter().any(is_there) {
            changed.push(relationship);
        }
    }
    schema["relationships"] = json!(changed);
    if changed.is_empty() {
        schema.as_object_mut().unwrap().shift_remove("relationships");
    }
}

fn change_table(random: &mut Random, schema: &mut Json) {
    let tables = schema["tables"].as_array_mut().unwrap();
    let at = random.below(tables.len());
    let Some(block) = tables[at].as_object_mut() else { return };
    match random.below(8) {
        0 => change_list(random, block, "constraints", |random, types| constraint(random, types, types)),
        1 => change_list(random, block, "indexes", |random, types| Some(index(random, types))),
        2 => drop_column(random, block),
        3 => rename_column(random, block),
        4 => {
            let (name, column) = (column_name(random), a_column(random).0);
            columns_of(block).entry(name).or_insert(column);
        }
        _ => change_column(random, block),
    }
}

fn columns_of(block: &mut Map<String, Json>) -> &mut Map<String, Json> {
    block["columns"].as_object_mut().unwrap()
}

/// The columns with their types.
fn types(block: &Map<String, Json>) -> Vec<(String, &'static str)> {
    let columns = block["columns"].as_object().unwrap().iter();
    let kind = |said: &Json| said.as_str().or_else(|| said["type"].as_str()).unwrap_or_default().to_owned();
    columns
        .filter_map(|(name, said)| {
            let known = super::schemas::TYPES.iter().find(|known| **known == kind(said))?;
            Some((name.clone(), *known))
        })
        .collect()
}

type Make = fn(&mut Random, &[(String, &'static str)]) -> Option<Json>;

fn change_list(random: &mut Random, block: &mut Map<String, Json>, list: &str, make: Make) {
    let types = types(block);
    let mut rules = block.get(list).and_then(Json::as_array).cloned().unwrap_or_default();
    if rules.is_empty() || random.percent(50) {
        rules.extend(make(random, &types));
    } else {
        rules.remove(random.below(rules.len()));
    }
    block.insert(list.to_owned(), json!(rules));
    if rules.is_empty() {
        block.shift_remove(list);
    }
}

fn a_column_of(random: &mut Random, block: &mut Map<String, Json>) -> String {
    let names: Vec<String> = columns_of(block).keys().cloned().collect();
    random.pick(&names)
}

/// Whether a rule of the table names the column.
fn names(rule: &Json, column: &str) -> bool {
    match rule {
        Json::String(text) => text == column,
        Json::Array(items) => items.iter().any(|item| names(item, column)),
        Json::Object(fields) => fields.iter().any(|(field, value)| field != "name" && names(value, column)),
        Json::Null | Json::Bool(_) | Json::Number(_) => false,
    }
}

fn drop_column(random: &mut Random, block: &mut Map<String, Json>) {
    if columns_of(block).len() < 2 {
        return;
    }
    let gone = a_column_of(random, block);
    columns_of(block).shift_remove(&gone);
    for list in ["constraints", "indexes"] {
        let Some(rules) = block.get_mut(list).and_then(Json::as_array_mut) else { continue };
        rules.retain(|rule| !names(rule, &gone));
        if rules.is_empty() {
            block.shift_remove(list);
        }
    }
}

fn rename_column(random: &mut Random, block: &mut Map<String, Json>) {
    let (old, new) = (a_column_of(random, block), column_name(random));
    if columns_of(block).contains_key(&new) || old == "id" || new == "id" {
        return;
    }
    let renamed = |(name, said): (String, Json)| {
        if name != old {
            return (name, said);
        }
        let mut said = if said.is_string() { json!({ "type": said }) } else { said };
        if said.get("renamed_from").is_none() {
            said["renamed_from"] = json!(old);
        }
        (new.clone(), said)
    };
    *columns_of(block) = std::mem::take(columns_of(block)).into_iter().map(renamed).collect();
    for list in ["constraints", "indexes"] {
        let Some(rules) = block.get_mut(list) else { continue };
        rename_in(rules, &old, &new);
    }
}

fn rename_in(rule: &mut Json, old: &str, new: &str) {
    match rule {
        Json::String(text) if text == old => new.clone_into(text),
        Json::Array(items) => items.iter_mut().for_each(|item| rename_in(item, old, new)),
        Json::Object(fields) => {
            fields
                .iter_mut()
                .filter(|(field, _)| *field != "name" && *field != "one_of")
                .for_each(|(_, value)| rename_in(value, old, new));
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

fn change_column(random: &mut Random, block: &mut Map<String, Json>) {
    let name = a_column_of(random, block);
    let (other, _) = a_column(random);
    let said = columns_of(block).get_mut(&name).unwrap();
    if random.percent(25) {
        *said = other;
        return;
    }
    let kind = said.as_str().or_else(|| said["type"].as_str()).unwrap_or_default().to_owned();
    if said.is_string() {
        *said = json!({ "type": kind });
    }
    let rules = said.as_object_mut().unwrap();
    match random.below(5) {
        0 => {
            rules.shift_remove("nullable");
            rules.insert("required".to_owned(), json!(random.percent(50)));
        }
        1 => {
            rules.insert("unique".to_owned(), json!(random.percent(50)));
        }
        2 => {
            rules.shift_remove("default");
        }
        3 if kind != "json" => {
            let wider: &[&str] = match kind.as_str() {
                "line" | "email" | "phone" | "url" => &["text", "line"],
                "integer" => &["decimal", "text"],
                "boolean" => &["integer", "text"],
                "date" => &["timestamp", "text"],
                "decimal" => &["integer", "text"],
                "timestamp" => &["date", "text"],
                _ => &["text", "uuid"],
            };
            rules.insert("type".to_owned(), json!(random.pick(wider)));
            rules.shift_remove("default");
        }
        _ => {
            let Some(new) = other.as_object().filter(|other| other["type"] == json!(kind)) else { return };
            for rule in ["default", "max_length"] {
                if let Some(value) = new.get(rule) {
                    rules.insert(rule.to_owned(), value.clone());
                }
            }
        }
    }
}
