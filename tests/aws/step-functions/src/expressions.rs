//! The `JSONata` expressions of a state machine, as Step Functions evaluates them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::{Map, Value};

use crate::Failure;

/// What an expression can see.
#[derive(Debug, Clone, Copy)]
pub struct View<'s> {
    /// `$states.input`.
    pub input: &'s Value,
    /// `$states.result`, where there is one.
    pub result: Option<&'s Value>,
    /// `$states.errorOutput`, in a Catch.
    pub error_output: Option<&'s Value>,
    /// `$states.context`.
    pub context: &'s Value,
    /// The variables of this scope and of those around it.
    pub variables: &'s Map<String, Value>,
}

impl<'s> View<'s> {
    /// What there is before a state has done its work.
    #[must_use]
    pub fn new(input: &'s Value, context: &'s Value, variables: &'s Map<String, Value>) -> Self {
        Self {
            input,
            result: None,
            error_output: None,
            context,
            variables,
        }
    }

    /// What a state hands on that names no output: its result, the error that was caught, or its input.
    pub(crate) fn default_output(&self) -> &'s Value {
        self.result.or(self.error_output).unwrap_or(self.input)
    }

    /// The members of `$states`.
    fn members(&self) -> impl Iterator<Item = (&'static str, &'s Value)> + use<'s> {
        let always = [("input", self.input), ("context", self.context)];
        let sometimes = [("result", self.result), ("errorOutput", self.error_output)];
        let there = sometimes.into_iter().filter_map(|(name, value)| Some((name, value?)));
        always.into_iter().chain(there)
    }
}

/// Evaluates expressions; each is parsed once.
#[derive(Debug, Default)]
pub struct Expressions {
    parsed: RefCell<HashMap<String, Rc<AstNode>>>,
}

impl Expressions {
    /// A template with its expressions replaced by their results.
    ///
    /// # Errors
    /// `States.QueryEvaluationError` where one fails or has no result.
    pub fn fill(&self, template: &Value, view: &View<'_>) -> Result<Value, Failure> {
        match template {
            Value::String(text) => match text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}")) {
                Some(expression) => self.evaluate(expression.trim(), view),
                None => Ok(template.clone()),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item, view)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), self.fill(value, view)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
            _ => Ok(template.clone()),
        }
    }

    fn evaluate(&self, expression: &str, view: &View<'_>) -> Result<Value, Failure> {
        // Most expressions only hand on what is there.
        match plain(expression, view) {
            Some(value) => Ok(value.clone()),
            None => self.interpret(expression, view),
        }
    }

    fn interpret(&self, expression: &str, view: &View<'_>) -> Result<Value, Failure> {
        let failed = |problem: String| Failure::from_expression(format!("{problem} in {expression}"));
        let mut context = Context::new();
        // Only what it mentions: the plan and the context are large, and most expressions do without.
        for (name, value) in view.variables {
            if expression.contains(&format!("${name}")) {
                context.bind(name.clone(), JValue::from(value.clone()));
            }
        }
        let mut states = Map::new();
        for (name, value) in view.members() {
            if expression.contains(name) {
                states.insert(name.to_owned(), value.clone());
            }
        }
        context.bind("states".to_owned(), JValue::from(Value::Object(states)));
        let mut evaluator = Evaluator::with_context(context);
        // The one function of Step Functions that our expressions use beside JSONata's own.
        evaluator
            .register_fn("parse", parse)
            .map_err(|error| failed(error.to_string()))?;
        let known = self.parsed.borrow().get(expression).cloned();
        let ast = if let Some(ast) = known {
            ast
        } else {
            let ast = Rc::new(parser::parse(expression).map_err(|error| failed(error.to_string()))?);
            self.parsed.borrow_mut().insert(expression.to_owned(), Rc::clone(&ast));
            ast
        };
        let value = evaluator
            .evaluate(&ast, &JValue::Undefined)
            .map_err(|error| failed(error.to_string()))?;
        if value.is_undefined() {
            return Err(failed("no result".to_owned()));
        }
        serde_json::to_value(&value).map_err(|error| failed(error.to_string()))
    }
}

/// The result of a path such as `$states.input.target.id`, if there is nothing to interpret: it goes through objects
/// only, and ends with a value that `JSONata` hands on as it is. An array is not: one of a single item loses its
/// brackets.
fn plain<'s>(expression: &str, view: &View<'s>) -> Option<&'s Value> {
    let mut steps = expression.strip_prefix('$')?.split('.');
    let is_name = |step: &str| step.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let variable = steps.next().filter(|name| is_name(name))?;
    let mut value = if variable == "states" {
        let member = steps.next()?;
        view.members().find(|(name, _)| *name == member)?.1
    } else {
        view.variables.get(variable)?
    };
    for step in steps {
        value = value.as_object()?.get(step).filter(|_| is_name(step))?;
    }
    match value {
        Value::Object(_) | Value::String(_) | Value::Bool(_) => Some(value),
        Value::Number(number) if number.is_u64() => Some(value),
        _ => None,
    }
}

/// `$parse(json)`: an error, which no Catch of the same state catches, where the text is not JSON.
fn parse(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let text = arguments.first().and_then(JValue::as_str).unwrap_or_default();
    JValue::from_json_str(text).map_err(|error| EvaluatorError::EvaluationError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_needs_no_interpreter_has_the_same_result_with_one() {
        let (input, context) = (
            json!({ "id": "orders", "target": { "dryRun": true, "list": [1, [2], {}], "none": null }, "wait": { "seconds": 30 },
                    "one": ["a"], "share": 0.5 }),
            json!({ "Execution": { "Name": "run", "RedriveCount": 0, "Input": { "only": ["orders"] } } }),
        );
        let (result, error_output) = (json!({ "Payload": { "kept": ["x"] } }), json!({ "Error": "E" }));
        let variables =
            json!({ "plan": { "retired": { "copies": 3 }, "only": ["a"] }, "found": { "id": "x" }, "times": 2 });
        let view = View {
            input: &input,
            result: Some(&result),
            error_output: Some(&error_output),
            context: &context,
            variables: variables.as_object().unwrap(),
        };
        let expressions = Expressions::default();
        let mut plain_ones = 0;
        for path in [
            "$states.input",
            "$states.input.id",
            "$states.input.target",
            "$states.input.target.dryRun",
            "$states.input.target.list",
            "$states.input.target.none",
            "$states.input.wait.seconds",
            "$states.input.one",
            "$states.input.share",
            "$states.input.missing",
            "$states.input.id.missing",
            "$states.result.Payload",
            "$states.result.Payload.kept",
            "$states.errorOutput.Error",
            "$states.context.Execution.Name",
            "$states.context.Execution.Input",
            "$plan.retired",
            "$plan.only",
            "$found",
            "$times",
            "$missing",
        ] {
            let interpreted = expressions.interpret(path, &view);
            if let Some(value) = plain(path, &view) {
                assert_eq!(Ok(value), interpreted.as_ref(), "{path}");
                plain_ones += 1;
            }
            assert_eq!(expressions.evaluate(path, &view), interpreted, "{path}");
        }
        assert_eq!(plain_ones, 12, "as many as need no interpreter");
    }
}
