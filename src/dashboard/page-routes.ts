import { TryItNowError } from '../domain/errors.ts';
import { INSTANCE_STATES } from '../domain/lifecycle.ts';
import type { App } from '../http/context.ts';
import { field } from '../http/field.ts';
import type { Dashboard } from './context.ts';
import { html } from '../presentation/html.ts';
import { live, said } from './elements.ts';
import { imagesPage } from './pages/images.ts';
import { checkpointsPage } from './pages/checkpoints.ts';
import { doctorPage } from './pages/doctor.ts';
import { instancePage, instancesPage } from './pages/instances.ts';
import { networksPage } from './pages/networks.ts';
import { nodePage, nodesPage } from './pages/nodes.ts';
import { overviewPage } from './pages/overview.ts';
import { poolPage } from './pages/pool.ts';
import { previewsPage } from './pages/previews.ts';
import { queuePage } from './pages/queue.ts';
import { auditPage, sessionsPage } from './pages/records.ts';
import { templatesPage } from './pages/templates.ts';
import { webhooksPage } from './pages/webhooks.ts';
import { clockOf } from './fragments.ts';
import { part } from './snapshot.ts';

const LISTED = 50;
const TAIL = { usual: 200, most: 5_000 };

/** Everything there is to look at. */
export function pageRoutes(app: App, dashboard: Dashboard): void {
  standing(app, dashboard);
  instanceRoutes(app, dashboard);
  nodeRoutes(app, dashboard);
  templateRoutes(app, dashboard);
  imageRoute(app, dashboard);
  listRoutes(app, dashboard);
}

function standing(app: App, { operators, snapshots, live: streams, send }: Dashboard): void {
  app.get('/', async (request, reply) => {
    const snapshot = await snapshots.now();
    return send(request, reply, () => ({
      title: 'Overview',
      place: '/',
      aside: html`<p class="clock">as of ${live('clock', clockOf(snapshot))}</p>`,
      body: overviewPage(snapshot),
      live: true,
    }));
  });
  app.get('/live', { config: { untimed: true } }, (request, reply) => streams.attach(request, reply));
  app.get<{ Params: { template: string } }>('/pools/:template', async (request, reply) => {
    const { template } = request.params;
    const [snapshot, failures] = await Promise.all([snapshots.now(), part(operators.failures(template))]);
    const pool = (await operators.pools()).find((each) => each.template === template);
    if (pool === undefined)
      throw new TryItNowError('unknown_template', `There is no template ${JSON.stringify(template.slice(0, 64))}`);
    return send(request, reply, (view) => ({
      title: template,
      place: '/',
      body: poolPage(view, pool, snapshot, failures),
      live: true,
    }));
  });
  app.get('/queue', async (request, reply) => {
    const [snapshot, tasks, dead] = await Promise.all([
      snapshots.now(),
      part(operators.tasks(LISTED)),
      part(operators.deadTasks(LISTED)),
    ]);
    return send(request, reply, (view) => ({
      title: 'Queue',
      place: '/queue',
      body: queuePage(view, snapshot, { tasks, dead }),
      live: true,
    }));
  });
}

function instanceRoutes(app: App, { operators, snapshots, send }: Dashboard): void {
  app.get('/instances', async (request, reply) => {
    const asked = (name: string): string => field(request.query, name)?.slice(0, 200) ?? '';
    const search = { q: asked('q'), template: asked('template'), state: asked('state'), node: asked('node') };
    const [found, { pools, nodes }] = await Promise.all([
      operators.instances({
        template: search.template === '' ? undefined : search.template,
        state: INSTANCE_STATES.find((state) => state === search.state),
        node: search.node === '' ? undefined : search.node,
      }),
      snapshots.now(),
    ]);
    const known = {
      templates: 'value' in pools ? pools.value.map(({ template }) => template) : [],
      nodes: 'value' in nodes ? nodes.value.map(({ name }) => name) : [],
    };
    return send(request, reply, (view) => ({
      title: 'Instances',
      place: '/instances',
      body: instancesPage(view, found, search, known),
    }));
  });
  app.get<{ Params: { id: string } }>('/instances/:id', async (request, reply) => {
    const { id } = request.params;
    const wanted = Number(field(request.query, 'tail') ?? TAIL.usual);
    const tail = Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, TAIL.most) : TAIL.usual;
    const [instance, logs] = await Promise.all([operators.instance(id), part(operators.logs(id, tail))]);
    return send(request, reply, (view) => ({
      title: instance.id,
      place: '/instances',
      body: instancePage(view, instance, logs, tail),
    }));
  });
}

function nodeRoutes(app: App, { operators, snapshots, send }: Dashboard): void {
  app.get('/nodes', async (request, reply) => {
    const snapshot = await snapshots.now();
    return send(request, reply, () => ({ title: 'Nodes', place: '/nodes', body: nodesPage(snapshot), live: true }));
  });
  app.get<{ Params: { node: string } }>('/nodes/:node', async (request, reply) => {
    const [node, snapshot] = await Promise.all([operators.node(request.params.node), snapshots.now()]);
    return send(request, reply, (view) => ({
      title: said(node.name),
      place: '/nodes',
      body: nodePage(view, node, snapshot),
      live: true,
    }));
  });
}

function templateRoutes(app: App, { operators, snapshots, send }: Dashboard): void {
  app.get('/previews', async (request, reply) => {
    const snapshot = await snapshots.now();
    return send(request, reply, (view) => ({
      title: 'Previews',
      place: '/previews',
      body: previewsPage(view, snapshot),
      live: true,
    }));
  });
  app.get('/templates', async (request, reply) => {
    const [plan, { catalogue }] = await Promise.all([part(operators.reloadTemplates(true)), snapshots.now()]);
    return send(request, reply, (view) => ({
      title: 'Templates',
      place: '/templates',
      body: templatesPage(view, plan, catalogue),
      live: true,
    }));
  });
}

function imageRoute(app: App, { operators, send }: Dashboard): void {
  app.get('/images', async (request, reply) => {
    const images = await part(operators.images());
    return send(request, reply, (view) => ({ title: 'Images', place: '/images', body: imagesPage(view, images) }));
  });
}

function listRoutes(app: App, { operators, snapshots, audit, sessions, send }: Dashboard): void {
  app.get('/networks', async (request, reply) => {
    const [suspects, harm, bans, allowances] = await Promise.all([
      part(operators.suspects()),
      part(operators.harm()),
      part(operators.networkRules('ban')),
      part(operators.networkRules('allowance')),
    ]);
    return send(request, reply, (view) => ({
      title: 'Networks',
      place: '/networks',
      body: networksPage(view, { suspects, harm, bans, allowances }),
    }));
  });
  app.get('/webhooks', async (request, reply) => {
    const [overview, dead, { catalogue }] = await Promise.all([
      part(operators.webhooks()),
      part(operators.deadEvents(LISTED)),
      snapshots.now(),
    ]);
    return send(request, reply, (view) => ({
      title: 'Webhooks',
      place: '/webhooks',
      body: webhooksPage(view, { overview, dead, jobs: operators.jobs(), catalogue }),
      live: true,
    }));
  });
  app.get('/checkpoints', async (request, reply) => {
    const [overview, { catalogue }] = await Promise.all([part(operators.checkpoints()), snapshots.now()]);
    return send(request, reply, (view) => ({
      title: 'Checkpoints',
      place: '/checkpoints',
      body: checkpointsPage(view, overview, operators.jobs(), catalogue),
      live: true,
    }));
  });
  app.get('/doctor', async (request, reply) => {
    const { catalogue } = await snapshots.now();
    return send(request, reply, (view) => ({
      title: 'Doctor',
      place: '/doctor',
      body: doctorPage(view, operators.diagnosed(), operators.jobs(), catalogue),
      live: true,
    }));
  });
  app.get('/audit', async (request, reply) => {
    const wanted = Number(field(request.query, 'limit') ?? LISTED);
    const limit = Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, 10_000) : LISTED;
    const entries = await audit.recent(limit);
    return send(request, reply, () => ({ title: 'Audit', place: '/audit', body: auditPage(entries, limit) }));
  });
  app.get('/sessions', { config: { role: 'admin' } }, async (request, reply) => {
    const all = await sessions.list();
    return send(request, reply, (view) => ({ title: 'Logins', place: '/sessions', body: sessionsPage(view, all) }));
  });
}
