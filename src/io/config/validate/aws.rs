//! Reads `[target.aws]`: the user's declarations about the AWS resources behind the endpoint. All
//! keys are optional.

use crate::io::config::table::Table;
use crate::io::config::value::text::{
    AuthorizerWord, ControlPath, Identifier, IntegrationWord, Region, RoleArn, Route,
};
use crate::io::config::value::time::PositiveDuration;
use crate::model::target::AwsDeclarations;

/// Reads the `aws` table of a target or of `[defaults]`.
pub(super) fn read(table: &Table<'_>, aws: &mut AwsDeclarations) {
    table.set::<Region>("region", &mut aws.region);
    table.set::<RoleArn>("role_arn", &mut aws.role_arn);
    table.set::<Identifier>("external_id", &mut aws.external_id);
    table.set::<Identifier>("api_id", &mut aws.api_id);
    table.set::<Identifier>("api_name", &mut aws.api_name);
    table.set::<Identifier>("stage", &mut aws.stage);
    table.set::<Route>("route", &mut aws.route);
    table.set::<Identifier>("function", &mut aws.function);
    table.set::<Identifier>("qualifier", &mut aws.qualifier);
    table.set::<IntegrationWord>("integration", &mut aws.integration);
    table.set::<PositiveDuration>("integration_timeout", &mut aws.integration_timeout);
    table.set::<PositiveDuration>("function_timeout", &mut aws.function_timeout);
    table.set::<AuthorizerWord>("authorizer", &mut aws.authorizer);
    table.set::<bool>("shared", &mut aws.shared);
    table.set::<Identifier>("access_log_group", &mut aws.access_log_group);
    table.set::<Identifier>("execution_log_group", &mut aws.execution_log_group);
    table.set::<ControlPath>("control_path", &mut aws.control_path);
}
