import type { Service } from '../../domain/service.ts';
import { serviceTemplate } from '../../domain/template.ts';
import type { ContainerSpec } from '../../pool/interfaces/container-runtime.ts';
import { LABEL } from '../labels.ts';

/**
 * Where a container stands among those of an instance with services. The first service holds the network namespace: it
 * has the instance's address and published port, and all others join it, the app as the last.
 */
export interface PodPlace {
  /** The container whose network namespace this one joins; undefined for the one that holds it. */
  readonly joins: string | undefined;
  /** Host names of the instance's own containers, all of them at 127.0.0.1. */
  readonly names: readonly string[];
  /** The app's container and the service's name; undefined for the app. */
  readonly part: { readonly of: string; readonly service: string } | undefined;
}

export interface PodContainer {
  readonly spec: ContainerSpec;
  readonly place: PodPlace;
  readonly service: Service;
}

/** The containers of the services, in the order they are started in. */
export function podServices(spec: ContainerSpec): readonly PodContainer[] {
  const { services } = spec.template;
  const [first] = services;
  return services.map((service) => ({
    service,
    spec: {
      ...spec,
      name: serviceContainer(spec.name, service),
      template: serviceTemplate(spec.template, service),
      env: {},
    },
    place: {
      joins: first === undefined || service === first ? undefined : serviceContainer(spec.name, first),
      names: podNames(services),
      part: { of: spec.name, service: service.name },
    },
  }));
}

/** The app's place; undefined without services: then it stands alone. */
export function appPlace({ name, template }: ContainerSpec): PodPlace | undefined {
  const [first] = template.services;
  return first === undefined
    ? undefined
    : { joins: serviceContainer(name, first), names: podNames(template.services), part: undefined };
}

export function partLabels(place: PodPlace | undefined): Record<string, string> {
  return place?.part === undefined ? {} : { [LABEL.partOf]: place.part.of, [LABEL.service]: place.part.service };
}

function serviceContainer(app: string, service: Service): string {
  return `${app}-${service.name}`;
}

function podNames(services: readonly Service[]): readonly string[] {
  return ['app', ...services.map(({ name }) => name)];
}
