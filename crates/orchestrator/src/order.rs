//! The order of several tasks: what a task depends on comes first, then what is more urgent, then what was given first.

use spec::{Priority, Task};
use vocab::{Code, Diagnostic, TaskId};

/// Tasks that wait for each other.
pub const DEPENDENCY_CYCLE: Code = Code("IP301");
/// Two files that claim one id.
pub const TASK_ID_IN_TWO_FILES: Code = Code("IP302");

/// The indices of the tasks in the order in which they are to be run.
///
/// # Errors
/// Every id that two tasks claim, and every circle of dependencies by name.
pub fn order(tasks: &[&Task]) -> Result<Vec<usize>, Vec<Diagnostic>> {
    let mut problems = duplicates(tasks);
    let mut ordered: Vec<usize> = Vec::new();
    let mut open: Vec<usize> = (0..tasks.len()).collect();
    open.sort_by_key(|index| urgency(tasks[*index].priority));
    while !open.is_empty() && problems.is_empty() {
        let is_ready = |index: &usize| {
            tasks[*index]
                .dependencies
                .iter()
                .all(|id| !open.iter().any(|other| tasks[*other].task_id.as_ref() == Some(id)))
        };
        match open.iter().position(is_ready) {
            Some(position) => ordered.push(open.remove(position)),
            None => problems.push(cycle(tasks, &open)),
        }
    }
    if problems.is_empty() { Ok(ordered) } else { Err(problems) }
}

fn urgency(priority: Priority) -> u8 {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

fn duplicates(tasks: &[&Task]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (index, task) in tasks.iter().enumerate() {
        let (Some(id), Some(place)) = (&task.task_id, &task.task_id_place) else { continue };
        let first = tasks[..index].iter().find(|other| other.task_id.as_ref() == Some(id));
        if let Some(other) = first {
            let message = format!("`{id}` is already the task of {}", other.place);
            problems.push(
                Diagnostic::error(TASK_ID_IN_TWO_FILES, message, place)
                    .with_help("give one of them another id, or leave one out"),
            );
        }
    }
    problems
}

/// Follows dependencies from the first open task until one comes twice: none of the open tasks can be run first, so one does.
fn cycle(tasks: &[&Task], open: &[usize]) -> Diagnostic {
    let find = |id: &TaskId| open.iter().copied().find(|index| tasks[*index].task_id.as_ref() == Some(id));
    let mut path: Vec<usize> = Vec::new();
    let mut current = open[0];
    while !path.contains(&current) {
        path.push(current);
        current = tasks[current].dependencies.iter().find_map(&find).unwrap_or(current);
    }
    let begin = path.iter().position(|index| *index == current).unwrap_or(0);
    let mut names: Vec<String> =
        path[begin..].iter().filter_map(|index| tasks[*index].task_id.as_ref()).map(|id| format!("`{id}`")).collect();
    names.extend(names.first().cloned());
    Diagnostic::error(
        DEPENDENCY_CYCLE,
        format!("tasks wait for each other: {}", names.join(" waits for ")),
        &tasks[current].place,
    )
    .with_help("take one of them out of the other's `dependencies`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(list: &[(&str, &str, &[&str])]) -> Vec<Task> {
        list.iter()
            .map(|(id, priority, dependencies)| {
                let text = format!(
                    "task_id: {id}\ntask_type: setup_api\npriority: {priority}\ndependencies: [{}]\nspecifications: {{api_requirements: {{type: rest, endpoints: [{{path: /api/contact, method: POST, authentication: none}}]}}}}",
                    dependencies.join(", ")
                );
                spec::parse(&format!("{id}.yaml"), &text).tasks.remove(0)
            })
            .collect()
    }

    fn ordered(list: &[(&str, &str, &[&str])]) -> Result<Vec<String>, Vec<String>> {
        let tasks = tasks(list);
        let references: Vec<&Task> = tasks.iter().collect();
        let name = |index: usize| tasks[index].task_id.as_ref().map(ToString::to_string).unwrap_or_default();
        order(&references)
            .map(|indices| indices.into_iter().map(name).collect())
            .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn dependencies_come_before_urgency_and_urgency_before_the_given_order() {
        let given: &[(&str, &str, &[&str])] = &[
            ("a", "low", &[]),
            ("b", "normal", &["d"]),
            ("c", "high", &["b"]),
            ("d", "low", &[]),
            ("e", "normal", &["elsewhere"]),
        ];
        assert_eq!(ordered(given).unwrap(), ["e", "a", "d", "b", "c"].map(String::from).to_vec());
    }

    #[test]
    fn a_circle_is_named() {
        let problems = ordered(&[("x", "low", &[]), ("a", "high", &["b"]), ("b", "low", &["c"]), ("c", "low", &["b"])])
            .unwrap_err();
        assert_eq!(problems, ["b.yaml:1:1: IP301: tasks wait for each other: `b` waits for `c` waits for `b`"]);
    }

    #[test]
    fn an_id_belongs_to_one_task() {
        let problems = ordered(&[("a", "low", &[]), ("a", "high", &[])]).unwrap_err();
        assert_eq!(problems, ["a.yaml:1:10: IP302: `a` is already the task of a.yaml:1:1"]);
    }
}
