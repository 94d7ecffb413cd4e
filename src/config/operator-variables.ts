import {
  apiKey,
  duration,
  hostPort,
  listOf,
  matching,
  operatorKey,
  password,
  roleGrant,
  text,
  url,
  webOrigin,
} from './parsers.ts';
import { oidcIssuer } from './oidc-issuer.ts';
import { group } from './variable.ts';

const operators = group('Operators');

/** Where operators are listened to, and who they are. */
export const OPERATOR_VARIABLES = {
  ADMIN_ADDR: operators.required(
    hostPort('127.0.0.1:8081'),
    '127.0.0.1:8081',
    'Where the server listens for operators (the dashboard at `/`, and `/admin/v1`), apart from visitors. Keep it on ' +
      'the loopback address, or behind something that speaks TLS; see [the dashboard](../dashboard.md).',
  ),
  OPERATOR_KEYS: operators.secret(
    listOf(operatorKey, 1),
    'not set: the admin API answers nobody',
    'The keys that operators send in X-API-Key and log in to the dashboard with, with commas between; one each ' +
      'tells them apart in the audit log. `viewer:KEY` may only look, `operator:KEY` do what a day needs, ' +
      '`admin:KEY` and `KEY` everything (a KEY with a colon in it needs `admin:`). `previews:KEY` is for builds: it ' +
      'puts, lists and removes [previews](../previews.md) and may nothing else; `previews@shop:KEY` those of the ' +
      'template shop alone. ' +
      'None of them may be an API_KEY.',
  ),
  DASHBOARD_URL: operators.optional(
    webOrigin,
    'where ADMIN_ADDR is reached',
    'Where operators’ browsers reach the dashboard, behind something that speaks TLS: `https://ops.example.org`, ' +
      'with no path. The cookie of a log-in then goes there by TLS alone.',
  ),
  DASHBOARD_SESSION: operators.required(
    duration('5m', '30d', '12h'),
    '12h',
    'How long a log-in to the dashboard lasts; then it is asked for again.',
  ),
  OIDC_ISSUER: operators.optional(
    oidcIssuer,
    'not set: operators log in by key alone',
    'The provider of OpenID Connect that operators log in at, by its issuer address: ' +
      '`https://id.example.org/realms/ops`. See [the dashboard](../dashboard.md#log-in-with-openid-connect).',
  ),
  OIDC_CLIENT_ID: operators.optional(
    text(300),
    'not set',
    'What the provider knows this dashboard as. Register `<DASHBOARD_URL>/login/oidc/callback` there as its ' +
      'redirect URI.',
  ),
  OIDC_CLIENT_SECRET: operators.secret(
    password,
    'not set: a public client, by PKCE alone',
    'The secret that the provider gave with OIDC_CLIENT_ID.',
  ),
  OIDC_SCOPE: operators.required(
    matching('scopes', /^openid( [\x21\x23-\x5b\x5d-\x7e]+)*$/, '`openid` and further scopes with blanks between'),
    'openid email profile',
    'What the provider is asked for; add what OIDC_CLAIM needs (`openid email groups`).',
  ),
  OIDC_CLAIM: operators.required(
    text(200),
    'groups',
    'The claim that says what somebody may: `groups`, `realm_access.roles`, or `email`, which counts where the ' +
      'provider says that it is verified.',
  ),
  OIDC_ROLES: operators.optional(
    listOf(roleGrant, 1),
    'not set',
    'Who may what, with commas between: `admin:ops,viewer:support` by values of OIDC_CLAIM; with `email`, ' +
      '`admin:jo@example.org,viewer:@example.org`. The highest that fits counts; who has none is refused.',
  ),
  ADMIN_URL: operators.optional(
    url(['http', 'https'], 'http://127.0.0.1:8081'),
    'http and ADMIN_ADDR',
    'For commands: where the admin API is.',
  ),
  OPERATOR_KEY: operators.secret(
    apiKey,
    'of OPERATOR_KEYS the first with the highest role',
    'For commands: the operator key they send, and whose name is in the audit log.',
  ),
};
