import { apiKey, hostPort, listOf, operatorKey, url, webOrigin } from './parsers.ts';
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
      '`admin:KEY` and `KEY` everything. None of them may be an API_KEY.',
  ),
  DASHBOARD_URL: operators.optional(
    webOrigin,
    'where ADMIN_ADDR is reached',
    'Where operators’ browsers reach the dashboard, behind something that speaks TLS: `https://ops.example.org`, ' +
      'with no path. The cookie of a log-in then goes there by TLS alone.',
  ),
  ADMIN_URL: operators.optional(
    url(['http', 'https'], 'http://127.0.0.1:8081'),
    'http and ADMIN_ADDR',
    'For commands: where the admin API is.',
  ),
  OPERATOR_KEY: operators.secret(apiKey, 'the first of OPERATOR_KEYS', 'For commands: the operator key they send.'),
};
