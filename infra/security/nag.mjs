// Prints what the rule packs of cdk-nag find in templates, as JSON: [{template, rule, resource}].
//   node nag.mjs TEMPLATE...
import { App, DefaultStackSynthesizer, Stack } from "aws-cdk-lib";
import { CfnInclude } from "aws-cdk-lib/cloudformation-include";
import { AwsSolutionsChecks, HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks, ServerlessChecks } from "cdk-nag";

const packs = [AwsSolutionsChecks, ServerlessChecks, NIST80053R5Checks, HIPAASecurityChecks, PCIDSS321Checks];
const found = process.argv.slice(2).flatMap((template) => {
  const synthesizer = new DefaultStackSynthesizer({ generateBootstrapVersionRule: false });
  const stack = new Stack(new App(), "Stack", { synthesizer });
  new CfnInclude(stack, "Template", { templateFile: template });
  const violations = packs.flatMap((Pack) => new Pack().validateScope(stack).violations);
  return violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(({ constructPath }) => ({ template, rule: ruleName, resource: constructPath.split("/").at(-1) })),
  );
});
console.log(JSON.stringify(found));
