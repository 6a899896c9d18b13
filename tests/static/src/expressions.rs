//! The `JSONata` expressions of a state machine, as Step Functions evaluates them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use jsonata_core::ast::AstNode;
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorError};
use jsonata_core::parser;
use jsonata_core::value::JValue;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::interpreter::Failure;

/// What an expression can see.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'s> {
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

impl<'s> Sight<'s> {
    /// What there is before a state has done its work.
    #[must_use]
    pub fn of_input(input: &'s Value, context: &'s Value, variables: &'s Map<String, Value>) -> Self {
        Self {
            input,
            result: None,
            error_output: None,
            context,
            variables,
        }
    }
}

/// Evaluates expressions; each is parsed once.
#[derive(Debug, Default)]
pub struct Expressions {
    parsed: RefCell<HashMap<String, Rc<AstNode>>>,
}

impl Expressions {
    /// A template with its expressions replaced by what they come to.
    ///
    /// # Errors
    /// `States.QueryEvaluationError` where one fails or has no result.
    pub fn fill(&self, template: &Value, sight: &Sight<'_>) -> Result<Value, Failure> {
        match template {
            Value::String(text) => match text.strip_prefix("{%").and_then(|rest| rest.strip_suffix("%}")) {
                Some(expression) => self.evaluate(expression.trim(), sight),
                None => Ok(template.clone()),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item, sight)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), self.fill(value, sight)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
            _ => Ok(template.clone()),
        }
    }

    fn evaluate(&self, expression: &str, sight: &Sight<'_>) -> Result<Value, Failure> {
        let failed = |problem: String| Failure::of_expression(format!("{problem} in {expression}"));
        // The most frequent ones only hand on what is there.
        match (expression, sight.result, sight.error_output) {
            ("$states.input", ..) => return Ok(sight.input.clone()),
            ("$states.errorOutput", _, Some(error_output)) => return Ok(error_output.clone()),
            ("$states.result.Payload", Some(Value::Object(result)), _) if result.contains_key("Payload") => {
                return Ok(result["Payload"].clone());
            }
            _ => {}
        }
        let mut states = json!({ "input": sight.input, "context": sight.context });
        for (name, value) in [("result", sight.result), ("errorOutput", sight.error_output)] {
            if let Some(value) = value {
                states[name] = value.clone();
            }
        }
        let mut context = Context::new();
        // Only those that it mentions: the plan is large, and most expressions do without.
        for (name, value) in sight.variables {
            if expression.contains(&format!("${name}")) {
                context.bind(name.clone(), to_jsonata(value)?);
            }
        }
        context.bind("states".to_owned(), to_jsonata(&states)?);
        let mut evaluator = Evaluator::with_context(context);
        // The two functions of Step Functions that our expressions use beside JSONata's own.
        for (name, function) in [("hash", hash as HostFunction), ("parse", parse)] {
            evaluator
                .register_fn(name, function)
                .map_err(|error| failed(error.to_string()))?;
        }
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
        let text = value.to_json_string().map_err(|error| failed(error.to_string()))?;
        serde_json::from_str(&text).map_err(|error| failed(error.to_string()))
    }
}

fn to_jsonata(value: &Value) -> Result<JValue, Failure> {
    JValue::from_json_str(&value.to_string()).map_err(Failure::of_expression)
}

type HostFunction = fn(&[JValue]) -> Result<JValue, EvaluatorError>;

/// `$hash(text, 'SHA-256')`; other algorithms are not used.
fn hash(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let [text, algorithm] = [0, 1].map(|at| arguments.get(at).and_then(JValue::as_str));
    let (Some(text), Some("SHA-256")) = (text, algorithm) else {
        return Err(EvaluatorError::TypeError("$hash needs a text and SHA-256".to_owned()));
    };
    let digest = Sha256::digest(text.as_bytes());
    let hex = digest
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    Ok(JValue::from(hex))
}

/// `$parse(json)`: an error, which no Catch of the same state catches, where the text is no JSON.
fn parse(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let text = arguments.first().and_then(JValue::as_str).unwrap_or_default();
    JValue::from_json_str(text).map_err(|error| EvaluatorError::EvaluationError(error.to_string()))
}
