import { describe, expect, it } from 'vitest';
import type { TryItNowError } from '../domain/errors.ts';
import { loadConfig } from './load.ts';

const WHOLE = {
  OIDC_ISSUER: 'https://id.example.org/realms/ops/',
  OIDC_CLIENT_ID: 'try-it-now',
  OIDC_ROLES: 'admin:ops, viewer:all of them',
  DASHBOARD_URL: 'https://ops.example.org',
};
const load = (env: Record<string, string>) => loadConfig({ CONTAINER_IMAGE: 'x', ...env });
const problems = (env: Record<string, string>): unknown => {
  try {
    return load(env).warnings;
  } catch (error) {
    return (error as TryItNowError).details?.['problems'];
  }
};

describe('a log-in by OpenID Connect', () => {
  it('comes back to where operators’ browsers reach the dashboard', () => {
    expect(load(WHOLE).config.admin.oidc).toEqual({
      issuer: 'https://id.example.org/realms/ops/',
      clientId: 'try-it-now',
      clientSecret: undefined,
      scope: 'openid email profile',
      claim: 'groups',
      roles: [
        { role: 'admin', value: 'ops' },
        { role: 'viewer', value: 'all of them' },
      ],
      callbackUrl: 'https://ops.example.org/login/oidc/callback',
      loggedOutUrl: 'https://ops.example.org/login',
    });
    expect(load({}).config.admin.oidc).toBeUndefined();
  });

  it('compares addresses in lower case', () => {
    const { admin } = load({ ...WHOLE, OIDC_CLAIM: 'email', OIDC_ROLES: 'admin:Jo@Example.org' }).config;
    expect(admin.oidc?.roles).toEqual([{ role: 'admin', value: 'jo@example.org' }]);
  });

  it.each([
    ['OIDC_CLIENT_ID', /^OIDC_ISSUER is set but OIDC_CLIENT_ID is not: .*; set OIDC_CLIENT_ID, or unset OIDC_ISSUER$/],
    ['OIDC_ROLES', /^OIDC_ISSUER is set but OIDC_ROLES is not: nobody would have a role/],
    ['DASHBOARD_URL', /^OIDC_ISSUER is set but DASHBOARD_URL is not: /],
    ['OIDC_ISSUER', /^OIDC_(CLIENT_ID|ROLES) is not used, because OIDC_ISSUER is not set$/],
  ])('needs %s', (name, said) => {
    const rest = Object.entries(WHOLE).filter(([each]) => each !== name);
    expect(problems(Object.fromEntries(rest))).toContainEqual(expect.stringMatching(said));
  });

  it.each([
    ['OIDC_ISSUER', 'http://id.example.org', 'without TLS'],
    ['OIDC_ISSUER', 'id.example.org', 'must be a URL'],
    ['OIDC_ROLES', 'ops', 'must be a list'],
    ['OIDC_ROLES', 'root:ops', 'must be a list'],
    ['OIDC_ROLES', 'previews:builds', 'must be a list'],
    ['OIDC_ROLES', 'admin:', 'must be a list'],
    ['OIDC_SCOPE', 'email', '`openid` and further scopes'],
  ])('refuses %s=%s', (name, value, said) => {
    expect(problems({ ...WHOLE, [name]: value })).toEqual([expect.stringContaining(said)]);
  });

  it('takes a provider without TLS on this host alone', () => {
    expect(load({ ...WHOLE, OIDC_ISSUER: 'http://127.0.0.1:9000' }).config.admin.oidc?.issuer).toBe(
      'http://127.0.0.1:9000',
    );
  });
});
