import { instanceUrl } from '../domain/address.ts';
import type { Demos } from '../http/demos.ts';
import type { Admission } from '../pool/admission.ts';
import { acquire, acquireOrWait, type AcquireDeps } from '../pool/acquire.ts';
import { exportWork, offersExport, type ExportDeps } from '../pool/export.ts';
import { ExportRoom } from '../pool/export-room.ts';
import { extend } from '../pool/extend.ts';
import { find, findMany } from '../pool/find.ts';
import type { Inventory } from '../pool/interfaces/inventory.ts';
import type { PoolControls } from '../pool/interfaces/pool-controls.ts';
import { Leads } from '../pool/leads.ts';
import { recordUse, unusedEndMs, type UseDeps } from '../pool/use.ts';
import { release, type ReleaseDeps } from '../pool/release.ts';
import { callToActionClicked, enter, findVisit, type VisitStepDeps } from '../pool/visit.ts';
import { leavePlace, lookAtPlaces, type WaitDeps } from '../pool/wait.ts';

type DemosDeps = AcquireDeps &
  Omit<ExportDeps, 'exportRoom'> &
  ReleaseDeps &
  UseDeps &
  WaitDeps &
  VisitStepDeps & {
    readonly admission: Admission;
    readonly inventory: Inventory;
    readonly controls: Pick<PoolControls, 'read'>;
  };

/** What the HTTP API asks of the pool, each answered by its use case. */
export function createDemos(deps: DemosDeps): Demos {
  const { address, catalogue, claimStore, controls, inventory } = deps;
  const exportRoom = new ExportRoom();
  return {
    acquire: (request) => acquire(deps, request),
    acquireOrWait: (request) => acquireOrWait(deps, request),
    places: (template, ids) => lookAtPlaces(deps, template, ids),
    leave: (template, id) => leavePlace(deps, template, id),
    find: (id) => find(claimStore, id),
    findByLabel: (label) => claimStore.findByLabel(label),
    findMany: (ids) => findMany(claimStore, ids),
    extend: (id, minutes, trusted) => extend(deps, id, minutes, trusted),
    release: (id) => release(deps, id),
    recordUse: (id) => recordUse(deps, id),
    unusedEndMs: (view) => unusedEndMs(view, catalogue.known(view.instance.template)),
    url: (label, template, open) => instanceUrl(address, label, open ?? catalogue.known(template ?? '')?.open),
    visit: (token) => findVisit(claimStore, token),
    enter: (view, open) => enter(deps, view, open),
    offersExport: (view) => offersExport(deps, view),
    exportWork: (view, clientKey) => exportWork({ ...deps, exportRoom }, view, clientKey),
    leads: new Leads(deps),
    callToActionClicked: (token) => callToActionClicked(deps, token),
    stats: () => inventory.stats(catalogue.all()),
    controls: () => controls.read(catalogue.all().map(({ name }) => name)),
    templates: () => catalogue.all(),
    template: (name) => catalogue.known(name),
  };
}
