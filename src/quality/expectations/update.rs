//! Learning anew without touching what people wrote: comments, edited values, values that were left out.

use toml_edit::{Decor, DocumentMut, Item, Table, value};

use super::{LEARNT, fingerprint};

/// What became of the values of a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// Values that were as they had been learnt, and are as learnt now.
    pub renewed: usize,
    /// Values that a person has edited or left out, by their path.
    pub kept: Vec<String>,
    /// Columns that are new.
    pub added: Vec<String>,
    /// Columns that the reference no longer has; their tables stay.
    pub absent: Vec<String>,
}

/// Puts what was learnt into a file that is there.
pub fn update(file: &mut DocumentMut, learnt: &DocumentMut) -> Renewed {
    let mut renewed = Renewed::default();
    for key in ["source", "rows"] {
        if let Some(item) = learnt.get(key) {
            replace(file.as_table_mut(), key, item);
        }
    }
    if let Some(fresh) = learnt.get("table").and_then(Item::as_table) {
        match file.get_mut("table") {
            Some(Item::Table(table)) => merge(table, fresh, ("table", &mut renewed)),
            // In one line nobody but a person has written it.
            Some(_) => renewed.kept.push("table".to_owned()),
            None => {
                file.insert("table", Item::Table(fresh.clone()));
            }
        }
    }
    let Some(fresh) = learnt.get("columns").and_then(Item::as_table) else { return renewed };
    if file.get("columns").is_none() {
        let mut columns = Table::new();
        columns.set_implicit(true);
        file.insert("columns", Item::Table(columns));
    }
    let Some(columns) = file.get_mut("columns").and_then(Item::as_table_mut) else {
        renewed.kept.push("columns".to_owned());
        return renewed;
    };
    for (name, item) in fresh {
        let Some(fresh) = item.as_table() else { continue };
        match columns.get_mut(name) {
            Some(Item::Table(table)) => merge(table, fresh, (&format!("columns.{name}"), &mut renewed)),
            Some(_) => renewed.kept.push(format!("columns.{name}")),
            None => {
                columns.insert(name, Item::Table(fresh.clone()));
                renewed.added.push(name.to_owned());
            }
        }
    }
    renewed.absent =
        columns.iter().map(|(name, _)| name.to_owned()).filter(|name| !fresh.contains_key(name)).collect();
    renewed
}

fn merge(table: &mut Table, fresh: &Table, (path, renewed): (&str, &mut Renewed)) {
    let mut fingerprints = fingerprint::kept(table);
    let fresh_fingerprints = fingerprint::kept(fresh);
    for (key, item) in fresh.iter().filter(|(key, _)| *key != LEARNT) {
        // What carries no fingerprint is a setting of the person who made the file.
        let Some(new) = fresh_fingerprints.get(key) else {
            if !table.contains_key(key) {
                table.insert(key, item.clone());
            }
            continue;
        };
        match (table.get(key).map(fingerprint::of), fingerprints.get(key)) {
            (Some(now), Some(then)) if now == *then => {
                replace(table, key, item);
                fingerprints.insert(key.to_owned(), new.clone());
                renewed.renewed += 1;
            }
            (None, None) => {
                table.insert(key, item.clone());
                fingerprints.insert(key.to_owned(), new.clone());
                renewed.renewed += 1;
            }
            _ => renewed.kept.push(format!("{path}.{key}")),
        }
    }
    let gone: Vec<String> =
        fingerprints.keys().filter(|key| !fresh_fingerprints.contains_key(*key)).cloned().collect();
    for key in gone {
        // It is no longer learnt: what nobody has edited goes.
        if table.get(&key).map(fingerprint::of).as_ref() == fingerprints.get(&key) {
            table.remove(&key);
            renewed.renewed += 1;
        } else if table.contains_key(&key) {
            renewed.kept.push(format!("{path}.{key}"));
        }
        fingerprints.remove(&key);
    }
    if !fingerprints.is_empty() {
        replace(table, LEARNT, &value(fingerprint::line(&fingerprints)));
    }
}

/// Puts a value in the place of another one; comments around it stay, those inside a table of categories too.
fn replace(table: &mut Table, key: &str, item: &Item) {
    match (table.get_mut(key), item) {
        (Some(Item::Table(old)), Item::Table(new)) => {
            let gone: Vec<String> =
                old.iter().map(|(key, _)| key.to_owned()).filter(|key| !new.contains_key(key)).collect();
            gone.iter().for_each(|key| {
                old.remove(key);
            });
            for (key, item) in new {
                replace(old, key, item);
            }
        }
        (Some(old), new) => {
            let decor: Option<Decor> = old.as_value().map(|value| value.decor().clone());
            let mut new = new.clone();
            if let (Some(value), Some(decor)) = (new.as_value_mut(), decor) {
                *value.decor_mut() = decor;
            }
            *old = new;
        }
        (None, new) => {
            table.insert(key, new.clone());
        }
    }
}
