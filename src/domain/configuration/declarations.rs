//! Adds what the configuration of the AWS resources shows to the declarations of a target.
//!
//! A declaration of the user always takes precedence. The rules, and the comparison of response
//! times with time limits, treat the added declarations like those of the user.

use super::serving::{Serving, serving};
use super::{AuthorizerKind, Backend, Configuration, Lookup};
use crate::model::target::{Authorizer, AwsDeclarations, Integration, Target};

/// Returns the declarations of the target, completed by the configuration: the integration, its
/// timeout, the function with its qualifier and timeout, the authorizer, and the log group of the
/// access log.
#[must_use]
pub fn completed(target: &Target, configuration: &Configuration) -> AwsDeclarations {
    let mut all = target.aws.clone();
    let Some(api) = &configuration.api else {
        return all;
    };
    if all.access_log_group.is_none() {
        all.access_log_group.clone_from(&api.access_log_group);
    }
    let Serving::Route(route) = serving(target, api) else {
        return all;
    };
    all.integration_timeout = all.integration_timeout.or(route.timeout);
    all.authorizer = all
        .authorizer
        .or_else(|| route.authorizer.and_then(authorizer));
    let Some(backend) = &route.backend else {
        return all;
    };
    all.integration = all.integration.or_else(|| integration(backend));
    let Backend::Lambda {
        function: Some(reference),
        ..
    } = backend
    else {
        return all;
    };
    if all.function.is_none() {
        all.function = Some(reference.name.clone());
    }
    if all.qualifier.is_none() && all.function.as_ref() == Some(&reference.name) {
        all.qualifier.clone_from(&reference.qualifier);
    }
    let read = configuration.function.as_ref();
    let read = read.filter(|function| function.reference == *reference);
    if let Some(Some(Lookup::Found(settings))) = read.map(|function| &function.settings) {
        all.function_timeout = all.function_timeout.or(settings.timeout);
    }
    all
}

/// Converts an integration into the value that a user would declare; `None` if such an integration
/// cannot be declared.
const fn integration(backend: &Backend) -> Option<Integration> {
    match backend {
        Backend::Lambda { .. } => Some(Integration::Lambda),
        Backend::Http => Some(Integration::Http),
        Backend::VpcLink { .. } => Some(Integration::VpcLink),
        Backend::Mock | Backend::Aws => None,
    }
}

/// Converts an authorizer into the value that a user would declare; `None` if such an authorizer
/// cannot be declared.
const fn authorizer(kind: AuthorizerKind) -> Option<Authorizer> {
    match kind {
        AuthorizerKind::None => Some(Authorizer::None),
        AuthorizerKind::Lambda => Some(Authorizer::Lambda),
        AuthorizerKind::Jwt => Some(Authorizer::Jwt),
        AuthorizerKind::Iam => Some(Authorizer::Iam),
        AuthorizerKind::Cognito => None,
    }
}
