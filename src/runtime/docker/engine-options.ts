import type { DatabaseFolders } from '../../domain/database.ts';
import type { LookupOutcome } from '../../domain/egress.ts';
import type { ImagePin } from '../../domain/image-pin.ts';
import type { Log } from '../../domain/log.ts';
import type { PulledImages } from '../../pool/interfaces/pulled-images.ts';
import type { Catalogue } from '../../domain/template.ts';
import type { Tracer } from '../../domain/tracer.ts';
import type { EnginePatience } from '../engine-patience.ts';
import type { Publishing } from '../isolation/publishing.ts';

export interface EngineOptions {
  readonly socketPath: string;
  readonly deployment: string;
  readonly node: string;
  readonly log: Log;
  /** Where instances are published; on loopback without it. */
  readonly publishing?: Publishing;
  /** Name servers for instances with egress; the host's own without it. */
  readonly resolvers?: readonly string[];
  /** On offer as time goes by; whose networks are in use. None without it. */
  readonly catalogue?: Pick<Catalogue, 'all'>;
  /** The folders of the database servers' sockets, which templates with a database need. */
  readonly databaseFolders?: DatabaseFolders | undefined;
  /** The credentials of registries, as `podman login` and `docker login` write them. */
  readonly registryAuthFile?: string | undefined;
  /** What names of images stand for on all nodes; others stand for what they do here. It changes as time goes by. */
  readonly pinnedImages?: ReadonlyMap<string, ImagePin>;
  /** Whether a name with `pull: always` is fetched anew, although it is known what it stands for on all nodes. */
  readonly decidesImages?: boolean;
  /** Told of each fetch before it begins, with the ids of what is there, and what it led to. */
  readonly pulls?: Pick<PulledImages, 'begin' | 'end'>;
  /** Whether the disk that images lie on has room for one more; yes without it. */
  readonly hasRoom?: () => boolean;
  /** Told how each fetch of an image ends. */
  readonly onFetched?: (status: 'success' | 'failure') => void;
  /** Told when an instance cannot be started because its image is not here any more, and cannot be fetched. */
  readonly onImageMissing?: () => void;
  /** Told how each look-up ends of an instance that reaches named places alone. */
  readonly onLookup?: (template: string, outcome: LookupOutcome) => void;
  readonly tracer?: Tracer;
  /** ENGINE_PATIENCE without it. */
  readonly patience?: EnginePatience;
}
