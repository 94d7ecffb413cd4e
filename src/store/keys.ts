import { FIRST_NODE } from '../domain/node.ts';

/**
 * Every key in Valkey, spelled here and nowhere else. Ports belong to a node: the first node keeps the plain names that
 * operators know (`available_ports`), further nodes carry theirs as a suffix.
 */
const ofNode = (name: string, node: string): string => (node === FIRST_NODE ? name : `${name}:${node}`);

export const keys = {
  /** hash: id → record (JSON) */
  instances: 'instances',
  /** set: every template that ever had a refill planned, so that one taken off the catalogue is still looked after */
  templates: 'templates',
  /** hash: label → {v, id, node, port} */
  hostnames: 'hostnames',
  /** hash: name → a copy of a template with another image, until it ends (JSON) */
  previews: 'previews',
  /** stream: what changed in `hostnames`, for discovery */
  hostnameChanges: 'hostname_changes',
  /** hash: node → {v, address, engine, seenAtMs} */
  nodes: 'nodes',
  /** string: what a node said of itself last (JSON); ends by itself when it falls silent */
  heartbeat: (node: string) => `heartbeat:${node}`,
  /** hash: node whose host is taken for lost → since when (ms) */
  lostNodes: 'lost_nodes',
  /** string: how often a node was lost of late; ends by itself */
  losses: (node: string) => `losses:${node}`,
  /** hash: mode, since_ms, deadline_ms, as an operator has set them */
  nodeControl: (node: string) => `node_control:${node}`,
  /** zset: ticket on its way to the node that has no port there so far, by until when it counts (ms) */
  placed: (node: string) => `placed:${node}`,
  /** string: how many instances were ever handed out; a store that knows of fewer than a process does has lost data */
  claimCount: 'takes',
  /** zset: visitors' instances of templates that mind, by when each was last seen in use (ms) */
  lastUsed: 'last_used',
  /** hash: who watches for use (a process) → when it reported last (ms) */
  useReporters: 'use_reporters',
  /** string: before this time (ms) instances may have been used without a report */
  useKnownSince: 'use_known_since',
  /** zset: process that hands out, by when it last said so (ms) */
  claimers: 'takers',
  /** string: how often it was asked whether replicas have everything */
  confirmations: 'confirmations',
  /** hash: process that hands out → run id of the Valkey whose claims it compared last with what it had seen */
  claimersLooked: 'takers_looked',
  /** zset: id by end of life (ms) */
  ready: (template: string) => `ready:${template}`,
  /** zset: ticket (the future instance's id) by deadline (ms) */
  warming: (template: string) => `warming:${template}`,
  /** zset: id by deadline (ms) */
  assigned: (template: string) => `assigned:${template}`,
  /** zset: releasing and quarantined ids, by when their cleanup is to be taken up again (ms) */
  leaving: (template: string) => `leaving:${template}`,
  /** hash: failures in a row, until_ms, version of the template that failed, unhealthy ready ones in a row */
  refillPause: (template: string) => `refill_pause:${template}`,
  /** zset: place (hash of who waits) by when it was taken (ms) */
  waiting: (template: string) => `waiting:${template}`,
  /** zset: place by until when it is kept (ms) */
  waitingLeases: (template: string) => `waiting_leases:${template}`,
  /** hash: place → "<client whose limits count> <embedding site>" */
  waitingClients: (template: string) => `waiting_clients:${template}`,
  /** list: "<when one became ready (ms)> <how long its start took (ms)> <how much was left to do>", the newest first */
  refills: (template: string) => `refills:${template}`,
  /** list: why the last attempts of the template failed (JSON), the newest first; ends by itself */
  failures: (template: string) => `failures:${template}`,
  /** string: why one that is being started is not ready so far (JSON); ends by itself */
  unready: (template: string) => `unready:${template}`,
  /** hash: mode, since_ms, deadline_ms, reason, target, target_until_ms, as an operator has set them; auto_target */
  poolControl: (template: string) => `pool_control:${template}`,
  /** hash: "<bucket>" → clicks in it, "<bucket> missed" → those that nothing could be done for; ends by itself */
  arrivals: (template: string, hour: number | string) => `arrivals:${template}:${hour}`,
  /** string: how many were decided to stand ready, and of what (JSON) */
  poolSize: (template: string) => `pool_size:${template}`,
  /** hash: name of an event → from when to when how many are to stand ready (JSON); ends by itself after the last */
  poolEvents: (template: string) => `pool_events:${template}`,
  /** stream: what operators of the role `admin` did, and before there were the others, what all did */
  audit: 'audit',
  /** stream: what operators of another role did (`operator`, `previews`), and what was refused (`refused`) */
  auditOf: (place: string) => `audit:${place}`,
  /** list: how the pool stood every ten seconds (JSON), the newest first; ends by itself */
  poolHistory: (template: string) => `pool_history:${template}`,
  /** hash: digest of what an operator's browser keeps → session (JSON) */
  operatorSessions: 'operator_sessions',
  /** list: ids of promoted checkpoints, the current one first */
  checkpoints: (template: string) => `checkpoints:${template}`,
  /** hash: id → what a node says of the checkpoint that it left for the others (JSON) */
  checkpointOffers: 'checkpoint_offers',
  /** hash: name of an image → what it stands for on all nodes (JSON) */
  imagePins: 'image_pins',
  /** zset: name of an image by when a server last went by it (ms) */
  imagePinsUsed: 'image_pins_used',
  /** hash: name of an image → what it stood for on the node when a server there last said so: the engine's id */
  imageSeen: (node: string) => `image_seen:${node}`,
  /**
   * hash: "image <id>" → what was fetched on the node (JSON), "pull <reference>" → what was there before a fetch that
   * nobody has ended (JSON)
   */
  pulledImages: (node: string) => `pulled_images:${node}`,
  /** hash: tried, refused, former, checked, held, asked (each JSON), of an image that is tried first; ends by itself */
  imageUpdate: (name: string) => `image_update:${name}`,
  /** hash: failures since the last restore, withdrawn, configured, proven:<id> */
  restores: (template: string) => `restores:${template}`,
  /** hash: checkpoint, failures in a row, until_ms */
  restorePause: (template: string, node: string) => ofNode(`restore_pause:${template}`, node),
  /** set: ports free to take */
  availablePorts: (node: string) => ofNode('available_ports', node),
  /** zset: port by the time it is rested (ms) */
  coolingPorts: (node: string) => ofNode('cooling_ports', node),
  /** hash: port → id */
  heldPorts: (node: string) => ofNode('held_ports', node),
  /** string: "<id> <template>" */
  idempotency: (hash: string) => `idempotency:${hash}`,
  hourlyRate: (clientKey: string) => `rate:hourly:${clientKey}`,
  /** stream: what happened to visits and is not in NATS yet */
  eventOutbox: 'event_outbox',
  /** hash: limit (the most that the outbox holds; none: nobody wants events), dropped (what it had no room for) */
  eventSettings: 'event_settings',
  /** hash: "<template> <site> <step>" → how often on that day (UTC) */
  funnel: (day: string) => `funnel:${day}`,
  /** hash: how deliveries to it go */
  webhook: (name: string) => `webhook:${name}`,
  /** string: the process that does this alone, until it ends by itself */
  turn: (task: string) => `turn:${task}`,
  /** hash: task → how often its turn has passed from one process to another */
  turnTerms: 'turn_terms',
  /** string: since when other pages wait to be written into that proxy (ms) */
  pagesWait: (task: string) => `pages_wait:${task}`,
  /** hash: process → what it says of itself (JSON) */
  processes: 'processes',
  /** zset: process by when it last said so (ms) */
  processesSeen: 'processes_seen',
  /** string: how often all processes were asked to read their templates again */
  templateReloads: 'template_reloads',
  /** string: the record of a visit that ended, for what its visitor does next; ends by itself */
  endedVisit: (label: string) => `ended_visit:${label}`,
  /** string: what somebody told who waits for an instance (JSON); ends by itself */
  lead: (place: string) => `lead:${place}`,
  /** string: what challenges of the gate are signed with */
  gateSecret: 'gate_secret',
  /** string: a challenge that was solved and cannot be again; ends by itself, after the challenge */
  spentChallenge: (challenge: string) => `gate_spent:${challenge}`,
  /** hash: network of clients → rule (JSON) that nothing is handed out to it */
  bans: 'bans',
  /** hash: network of clients → rule (JSON) that it may have more than others */
  allowances: 'allowances',
  /** string: how often a rule of either was stored, by which servers see that there is anything to read */
  networkRulePuts: 'network_rule_puts',
  /** string: "<id> <held until at most (ms)> <client>" in lines, of a network of clients or an owner; ends by itself */
  held: (holder: string) => `held:${holder}`,
  /** hash: "<kind> <who> <figure>" → how often in that minute; ends by itself */
  shares: (minute: number | string) => `shares:${minute}`,
  /** hash: "<kind> <who>" → who takes an unusual share (JSON); ends by itself */
  suspects: 'suspects',
  /**
   * string: "<visits that ended for harm> <until when nothing is handed out (ms)>", of an address, a network or a
   * browser; ends by itself
   */
  harm: (who: string) => `harm:${who}`,
  dailyRate: (clientKey: string) => `rate:daily:${clientKey}`,
} as const;
