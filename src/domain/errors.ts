/**
 * Every error that can reach a person or a program, with its stable code. `docs/reference/errors.md` is generated from
 * this table. `retryable` says that the same request may succeed later without being changed.
 */
export const ERROR_CATALOGUE = {
  malformed_request: {
    status: 400,
    retryable: false,
    title: 'The request could not be read',
    remedy: 'Send a body and headers as the OpenAPI document describes them.',
  },
  invalid_request: {
    status: 400,
    retryable: false,
    title: 'The request has a wrong value',
    remedy: 'Fix the field named in `errors`.',
  },
  landing_not_allowed: {
    status: 400,
    retryable: false,
    title: 'The app does not let visitors land there',
    remedy: 'Leave `open` out, or take a path that the template allows under `open.allow`.',
  },
  key_missing: {
    status: 401,
    retryable: false,
    title: 'An API key is needed',
    remedy: 'Send the key in the X-API-Key header.',
  },
  key_wrong: {
    status: 403,
    retryable: false,
    title: 'The API key is not accepted',
    remedy: 'Check the key in the X-API-Key header.',
  },
  token_wrong: { status: 403, retryable: false, title: 'The token is not valid', remedy: 'Take a new countdown_url.' },
  image_not_checked: {
    status: 409,
    retryable: false,
    title: 'Its template does not have new images tried first',
    remedy: 'Set `image_check` of the template, to `manual` or to a time such as `6h`.',
  },
  image_held: {
    status: 409,
    retryable: false,
    title: 'An operator holds the image as it is',
    remedy: 'Let go of it first: `try-it-now images release IMAGE`.',
  },
  no_earlier_image: {
    status: 409,
    retryable: false,
    title: 'There is no image to go back to',
    remedy: '`try-it-now images list` shows which have one before.',
  },
  other_node: {
    status: 409,
    retryable: false,
    title: 'The container is on another node',
    remedy: 'Ask on the node named in the detail: its own engine holds the container.',
  },
  challenge_required: {
    status: 403,
    retryable: false,
    title: 'Some work has to be proven first',
    remedy: 'Solve `challenge` (ALTCHA, SHA-256) and send the request again with the solution as `altcha`.',
  },
  banned: {
    status: 403,
    retryable: false,
    title: 'Nothing is handed out to this address',
    remedy: 'Ask the operators, who set it (`try-it-now bans list`), or come back after its end.',
  },
  role_too_low: {
    status: 403,
    retryable: false,
    title: 'The role of this key or login does not allow it',
    remedy:
      'Use a key with the role that the detail names (for commands OPERATOR_KEY_FILE), ask somebody who has it, or ' +
      'have yours raised (OPERATOR_KEYS).',
  },
  login_refused: {
    status: 403,
    retryable: false,
    title: 'The log-in did not work',
    remedy:
      'Start it again from the dashboard. If it fails again, the detail says what the provider or we did not take.',
  },
  login_without_role: {
    status: 403,
    retryable: false,
    title: 'You are known, and have no role here',
    remedy: 'Ask whoever runs this server to grant a role to one of your groups, or to your address (OIDC_ROLES).',
  },
  login_provider_unavailable: {
    status: 503,
    retryable: true,
    title: 'The log-in provider does not answer',
    remedy: 'Try again in a minute, or log in with an operator key; `try-it-now doctor` says whether it answers.',
  },
  form_outdated: {
    status: 403,
    retryable: false,
    title: 'The form belongs to another login',
    remedy: 'Reload the page and send the form again.',
  },
  foreign_origin: {
    status: 403,
    retryable: false,
    title: 'The request came from another site',
    remedy: 'Open the page itself and click there, or allow that site with ALLOWED_ORIGINS.',
  },
  foreign_visit: {
    status: 403,
    retryable: false,
    title: 'The visit belongs to another browser',
    remedy: 'Go on in the browser that began it, with its cookies. Elsewhere the app can be used until its time is up.',
  },
  unknown_route: {
    status: 404,
    retryable: false,
    title: 'There is nothing at this address',
    remedy: 'See the OpenAPI document for the routes.',
  },
  unknown_template: {
    status: 404,
    retryable: false,
    title: 'There is no such template',
    remedy: 'GET /api/v1/templates lists the templates.',
  },
  template_ended: {
    status: 410,
    retryable: false,
    title: 'It is not offered any more',
    remedy: 'Its time is over. Take another template; GET /api/v1/templates lists those there are.',
  },
  unknown_preview: {
    status: 404,
    retryable: false,
    title: 'There is no such preview',
    remedy: '`try-it-now previews list` shows those there are.',
  },
  preview_not_allowed: {
    status: 403,
    retryable: false,
    title: 'The template does not let such a preview be made',
    remedy: 'Change `previews` of the template in TEMPLATES_FILE as the detail says, or put another image.',
  },
  preview_name_taken: {
    status: 409,
    retryable: false,
    title: 'A template, or a preview of another one, has this name',
    remedy: 'Give the preview another name, such as that of the template with -pr-12 behind it.',
  },
  network_rule_limit: {
    status: 409,
    retryable: false,
    title: 'There are as many bans, or allowances, as may be',
    remedy:
      'Ban a wider network instead of its addresses one by one, take back what is no longer needed ' +
      '(`try-it-now bans remove NETWORK`, `allowances remove NETWORK`), or keep a whole list in the firewall.',
  },
  preview_limit: {
    status: 409,
    retryable: false,
    title: 'There are as many previews of the template as may be',
    remedy: 'Remove one (`try-it-now previews remove NAME`), or raise `previews.max` of the template.',
  },
  unknown_instance: {
    status: 404,
    retryable: false,
    title: 'There is no such instance',
    remedy: 'It may have ended; acquire a new one.',
  },
  no_export: {
    status: 404,
    retryable: false,
    title: 'There is nothing to download',
    remedy: 'A template offers it with `export`.',
  },
  unknown_node: {
    status: 404,
    retryable: false,
    title: 'There is no such node',
    remedy: '`try-it-now nodes list` shows those there are.',
  },
  unknown_task: {
    status: 404,
    retryable: false,
    title: 'There is no such task',
    remedy: 'It may be done already; `try-it-now queue peek` and `queue dead` list those there are.',
  },
  unknown_network: {
    status: 404,
    retryable: false,
    title: 'There is no such rule for a network',
    remedy: '`try-it-now bans list`, `bans harm` and `allowances list` show those there are.',
  },
  unknown_event: {
    status: 404,
    retryable: false,
    title: 'There is no such event of a pool',
    remedy: '`try-it-now pool event list` shows those that are still to come.',
  },
  unknown_image: {
    status: 404,
    retryable: false,
    title: 'No template has such an image',
    remedy: '`try-it-now images list` shows those there are.',
  },
  unknown_webhook: {
    status: 404,
    retryable: false,
    title: 'There is no such webhook',
    remedy: '`try-it-now webhooks list` shows those that WEBHOOKS_FILE has.',
  },
  method_not_allowed: {
    status: 405,
    retryable: false,
    title: 'This address does not take that method',
    remedy: 'See the Allow header for the methods it takes.',
  },
  request_timeout: {
    status: 408,
    retryable: true,
    title: 'The request did not arrive in time',
    remedy: 'Send it again over a better connection.',
  },
  node_alive: {
    status: 409,
    retryable: false,
    title: 'The node is alive',
    remedy: 'Drain it (`try-it-now nodes drain`), stop its worker, and remove it once it is silent.',
  },
  node_in_use: {
    status: 409,
    retryable: false,
    title: 'Instances are recorded on the node',
    remedy: 'Drain the node while its host answers; `--force` discards them when it never will again.',
  },
  not_assigned: {
    status: 409,
    retryable: false,
    title: 'The instance is not held by anybody',
    remedy: 'Acquire an instance first.',
  },
  extension_limit: {
    status: 409,
    retryable: false,
    title: 'The instance cannot be extended any further',
    remedy: 'Acquire a new instance when this one ends.',
  },
  others_wait: {
    status: 409,
    retryable: true,
    title: 'Others wait for an instance',
    remedy: 'Finish in the time that is left, or try again when nobody waits; an API key need not give way.',
  },
  conflicting_change: {
    status: 409,
    retryable: true,
    title: 'The instance was changed at the same time',
    remedy: 'Send the request again.',
  },
  body_too_large: {
    status: 413,
    retryable: false,
    title: 'The request body is too large',
    remedy: 'Send less than the limit named in the detail.',
  },
  uri_too_long: { status: 414, retryable: false, title: 'The address is too long', remedy: 'Shorten it.' },
  invalid_templates: {
    status: 422,
    retryable: false,
    title: 'The templates cannot be reloaded',
    remedy: 'Fix what the detail names; `try-it-now templates check FILE` says the same. Those before still hold.',
  },
  unsupported_media_type: {
    status: 415,
    retryable: false,
    title: 'The content type is not supported',
    remedy: 'Send application/json.',
  },
  idempotency_mismatch: {
    status: 422,
    retryable: false,
    title: 'The idempotency key was used for another template',
    remedy: 'Use a new key for a different request.',
  },
  hourly_limit: {
    status: 429,
    retryable: true,
    title: 'Too many instances in this hour',
    remedy: 'Wait as Retry-After says.',
  },
  daily_limit: { status: 429, retryable: true, title: 'Too many instances today', remedy: 'Wait as Retry-After says.' },
  harm_limit: {
    status: 429,
    retryable: true,
    title: 'Several visits from here were ended because they harmed others',
    remedy: 'Wait as Retry-After says; operators see it with `try-it-now bans harm` and end it with `bans forgive`.',
  },
  held_limit: {
    status: 429,
    retryable: true,
    title: 'As many instances are held as may be at once',
    remedy: 'Go back to one of them, or end one (DELETE /api/v1/demo/{id}), or wait as Retry-After says.',
  },
  export_busy: {
    status: 429,
    retryable: true,
    title: 'A download is under way already',
    remedy: 'Wait as Retry-After says, or until the one that runs is done.',
  },
  unknown_place: {
    status: 404,
    retryable: false,
    title: 'Nobody waits at this place',
    remedy: 'POST /api/v1/waiting takes a place, or the instance that this one was served.',
  },
  too_many_streams: {
    status: 429,
    retryable: true,
    title: 'Too many streams are open',
    remedy: 'Close one, or ask for the instance itself now and then.',
  },
  too_many_refusals: {
    status: 429,
    retryable: true,
    title: 'Too many calls without an operator key',
    remedy: 'Send a right key; without one, wait as Retry-After says.',
  },
  headers_too_large: {
    status: 431,
    retryable: false,
    title: 'The request headers are too large',
    remedy: 'Send fewer or shorter headers.',
  },
  client_gone: {
    status: 499,
    retryable: true,
    title: 'The connection was closed before the answer',
    remedy: 'Keep the connection open until the answer is there; send the request again.',
  },
  internal_error: {
    status: 500,
    retryable: true,
    title: 'Something went wrong here',
    remedy: 'Try again; tell the operator the request id if it stays.',
  },
  export_failed: {
    status: 502,
    retryable: true,
    title: 'The app could not give what was to be downloaded',
    remedy: 'Try again; what the app said is in the detail.',
  },
  export_too_large: {
    status: 502,
    retryable: false,
    title: 'What was to be downloaded is too large',
    remedy: 'Take out what is not needed; the operator can raise `export.max_size` of the template.',
  },
  pool_empty: {
    status: 503,
    retryable: true,
    title: 'No instance is ready right now',
    remedy: 'Wait as Retry-After says.',
  },
  pool_paused: {
    status: 503,
    retryable: true,
    title: 'No instances are handed out for the moment',
    remedy: 'Wait as Retry-After says; the operators have paused it.',
  },
  store_unavailable: {
    status: 503,
    retryable: true,
    title: 'The state store cannot serve now',
    remedy: 'Check Valkey at VALKEY_ADDR or VALKEY_URL; the detail says what it lacks where it answers.',
  },
  queue_unavailable: {
    status: 503,
    retryable: true,
    title: 'The task queue does not answer',
    remedy: 'Check NATS at NATS_URL.',
  },
  queue_conflict: {
    status: 500,
    retryable: false,
    title: 'NATS holds something else under our names',
    remedy: 'Delete or rename what the detail names, then start again.',
  },
  unknown_session: {
    status: 404,
    retryable: false,
    title: 'No such login',
    remedy: 'It has ended; reload the list.',
  },
  replay_too_large: {
    status: 409,
    retryable: false,
    title: 'More is to be delivered again than the stream of events has room for',
    remedy: 'Ask for a shorter time, or repair the receiver that has much waiting first (`try-it-now webhooks list`).',
  },
  job_running: {
    status: 409,
    retryable: true,
    title: 'Something of the kind is still going on',
    remedy: 'Wait until it has ended; the dashboard shows how far it is.',
  },
  operator_key_unset: {
    status: 503,
    retryable: false,
    title: 'No operator key is configured',
    remedy: 'Set OPERATOR_KEYS or OPERATOR_KEYS_FILE on the server and restart it.',
  },
  admin_unavailable: {
    status: 503,
    retryable: true,
    title: 'The admin API does not answer',
    remedy: 'Check that the server runs, and that ADMIN_URL names its ADMIN_ADDR.',
  },
  shutting_down: {
    status: 503,
    retryable: true,
    title: 'The server is shutting down',
    remedy: 'Try again in a few seconds.',
  },
  invalid_config: {
    status: 500,
    retryable: false,
    title: 'The configuration is wrong',
    remedy: 'Fix each variable named.',
  },
  engine_unavailable: {
    status: 500,
    retryable: true,
    title: 'The container engine does not answer',
    remedy: 'Check that its service runs and its socket can be opened.',
  },
  image_missing: {
    status: 500,
    retryable: false,
    title: 'The container image is not on this host',
    remedy: 'Build or pull the image, then try again.',
  },
  smoke_failed: {
    status: 500,
    retryable: false,
    title: 'A new image did not answer as its template wants',
    remedy: 'Look at the page that the message names, and fix the image or the step of `smoke`.',
  },
  container_failed: {
    status: 500,
    retryable: true,
    title: 'The container could not be started or removed',
    remedy: "See the engine's own message in the detail.",
  },
  container_exited: {
    status: 500,
    retryable: false,
    title: 'The app ended before it was ready',
    remedy: 'See its exit code and its last lines in the detail; the next try comes by itself.',
  },
  out_of_memory: {
    status: 500,
    retryable: false,
    title: 'The app was killed for memory',
    remedy: 'Raise limits.memory of the template.',
  },
  instance_unhealthy: {
    status: 500,
    retryable: true,
    title: 'Ready instances stop answering their health check',
    remedy: 'See the detail; name what shows that the app serves in `health` of the template.',
  },
  template_failing: {
    status: 503,
    retryable: false,
    title: 'The template keeps failing and is not refilled for a while',
    remedy: 'See the cause in the detail and fix the template or its image; the next try comes by itself.',
  },
  not_ready_in_time: {
    status: 500,
    retryable: true,
    title: 'The app did not become ready in time',
    remedy: 'Check the readiness path, or raise the readiness timeout.',
  },
  no_free_port: {
    status: 500,
    retryable: true,
    title: 'No host port is free',
    remedy: 'Widen CONTAINER_PORT_RANGE_START..END or lower the pool sizes.',
  },
  isolation_failed: {
    status: 500,
    retryable: false,
    title: 'Instances could not be isolated from the network',
    remedy: "Run as root with iptables and ipset installed, in one network namespace with the engine's service.",
  },
  proxy_unavailable: {
    status: 500,
    retryable: true,
    title: 'The proxy does not answer',
    remedy: 'Check Caddy at CADDY_ADMIN_URL.',
  },
  activation_failed: {
    status: 500,
    retryable: true,
    title: 'The activation hook of an instance failed',
    remedy: 'Run the hook by hand in an instance of the template; its own output is in the detail.',
  },
  checkpointing_unavailable: {
    status: 503,
    retryable: false,
    title: 'Checkpoints cannot be made or restored on this host',
    remedy: 'See the detail for what the trial said; docs/criu-checkpoint.md lists what is needed.',
  },
  checkpoint_refused: {
    status: 409,
    retryable: false,
    title: 'The app cannot be checkpointed as it runs',
    remedy: 'The detail names each obstacle and what to change; docs/criu-checkpoint.md explains them.',
  },
  checkpoint_failed: {
    status: 500,
    retryable: true,
    title: 'The checkpoint could not be made',
    remedy: "See CRIU's own lines in the detail; docs/criu-checkpoint.md explains the common ones.",
  },
  host_failed: {
    status: 503,
    retryable: true,
    title: 'The host lacks something, or fails',
    remedy: 'The detail says what: make room, raise the limit, or see to the disk. Then the same is tried again.',
  },
  checkpoint_damaged: {
    status: 500,
    retryable: false,
    title: "The checkpoint's files are not as they were written",
    remedy: 'Copy both files again from where they were made, or create the checkpoint again.',
  },
  checkpoint_unfit: {
    status: 409,
    retryable: false,
    title: 'The checkpoint was made for something else',
    remedy: 'Create a checkpoint of this template on this host.',
  },
  checkpoint_not_verified: {
    status: 409,
    retryable: false,
    title: "The checkpoint's clones are not each their own",
    remedy: "Fix the template's activation hook or identity probe, then create the checkpoint again.",
  },
  checkpoint_share_unavailable: {
    status: 503,
    retryable: true,
    title: 'What nodes leave checkpoints for each other in does not answer',
    remedy: 'The detail says why; CHECKPOINT_SHARE names it. Nodes that have the checkpoint go on restoring it.',
  },
  unknown_checkpoint: {
    status: 404,
    retryable: false,
    title: 'There is no such checkpoint',
    remedy: '`try-it-now checkpoint list` shows those on this node.',
  },
  no_earlier_checkpoint: {
    status: 409,
    retryable: false,
    title: 'There is no checkpoint to go back to',
    remedy: 'Promote one: `try-it-now checkpoint list` shows those on this node.',
  },
  restore_failed: {
    status: 500,
    retryable: true,
    title: 'An instance could not be restored from its checkpoint',
    remedy: "See CRIU's own lines in the detail; the instance is started cold instead.",
  },
  database_unavailable: {
    status: 503,
    retryable: true,
    title: 'The database server does not answer',
    remedy: 'Check MariaDB at DATABASE_SOCKET, or PostgreSQL at POSTGRES_SOCKET, as the detail says.',
  },
  database_failed: {
    status: 500,
    retryable: true,
    title: 'The database of an instance could not be made or dropped',
    remedy: "See the database server's own message in the detail.",
  },
  database_unsafe: {
    status: 500,
    retryable: false,
    title: 'The database server would let an instance in as its administrator',
    remedy: 'Switch the unix_socket login off as the detail says, then start again.',
  },
  port_taken: {
    status: 500,
    retryable: false,
    title: 'A port is already in use',
    remedy: 'End the other program, or choose another port.',
  },
  server_running: {
    status: 409,
    retryable: true,
    title: 'The server still runs',
    remedy: 'Stop it first: systemctl stop try-it-now.',
  },
  backup_damaged: {
    status: 400,
    retryable: false,
    title: 'The backup cannot be read',
    remedy: 'Copy the file again from where it was made, or take an earlier one.',
  },
  state_in_use: {
    status: 409,
    retryable: false,
    title: 'The deployment has state of its own',
    remedy: 'Say --replace to have it replaced by that of the backup; `try-it-now backup` saves it first.',
  },
  child_failed: {
    status: 500,
    retryable: false,
    title: 'A server we started did not come up',
    remedy: 'See its own log lines in the detail.',
  },
} as const satisfies Record<string, { status: number; retryable: boolean; title: string; remedy: string }>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

export interface ErrorExtras {
  readonly cause?: unknown;
  /** How long the caller should wait before the next try, in ms. */
  readonly retryAfterMs?: number;
  /** Machine-readable particulars; shown to the caller, so never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** What went wrong, to what and why, in one sentence for a person, with a code for a program. */
export class TryItNowError extends Error {
  override readonly name = 'TryItNowError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
    this.status = ERROR_CATALOGUE[code].status;
    this.retryable = ERROR_CATALOGUE[code].retryable;
    this.retryAfterMs = extras.retryAfterMs;
    this.details = extras.details;
  }
}

export { describeError } from './describe-error.ts';
