import type { OidcConfig } from './config.ts';
import type { Values, VariableName } from './variables.ts';

const NEEDED = {
  OIDC_CLIENT_ID: 'the provider has to be told who asks',
  OIDC_ROLES: 'nobody would have a role, so nobody would be let in',
  DASHBOARD_URL: 'the provider has to be told where to send browsers back to',
} as const satisfies Partial<Record<VariableName, string>>;
const names = Object.keys(NEEDED) as (keyof typeof NEEDED)[];

/** Between the settings of who operators are. */
export function operatorProblems(values: Values, sound: (...names: VariableName[]) => boolean): string[] {
  const isShared =
    sound('API_KEY', 'OPERATOR_KEYS') &&
    (values.OPERATOR_KEYS ?? []).some(({ key }) => values.API_KEY?.includes(key) === true);
  const shared =
    'OPERATOR_KEYS has a key that API_KEY has as well, so a visitor could act as an operator; draw another ' +
    'one for operators (`openssl rand -hex 24`)';
  return [...(isShared ? [shared] : []), ...oidcProblems(values, sound)];
}

/** What a log-in by OpenID Connect lacks. */
function oidcProblems(values: Values, sound: (...names: VariableName[]) => boolean): string[] {
  if (values.OIDC_ISSUER === undefined || !sound('OIDC_ISSUER')) return [];
  return names
    .filter((name) => values[name] === undefined && sound(name))
    .map((name) => `OIDC_ISSUER is set but ${name} is not: ${NEEDED[name]}; set ${name}, or unset OIDC_ISSUER`);
}

export function oidcWarnings(values: Values): string[] {
  if (values.OIDC_ISSUER !== undefined) return [];
  return (['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'OIDC_ROLES'] as const)
    .filter((name) => values[name] !== undefined)
    .map((name) => `${name} is not used, because OIDC_ISSUER is not set`);
}

/** Undefined where operators log in by key alone. */
export function oidc(values: Values): OidcConfig | undefined {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_ROLES: roles, DASHBOARD_URL: dashboardUrl } = values;
  if (issuer === undefined || clientId === undefined || roles === undefined || dashboardUrl === undefined)
    return undefined;
  return {
    issuer,
    clientId,
    clientSecret: values.OIDC_CLIENT_SECRET,
    scope: values.OIDC_SCOPE,
    claim: values.OIDC_CLAIM,
    // Addresses are compared in lower case.
    roles: values.OIDC_CLAIM === 'email' ? roles.map((each) => ({ ...each, value: each.value.toLowerCase() })) : roles,
    callbackUrl: `${dashboardUrl}/login/oidc/callback`,
    loggedOutUrl: `${dashboardUrl}/login`,
  };
}
