// Made by `npm run generate` from the OpenAPI document; change the schemas in src/http instead.
export interface paths {
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Does the server answer? */
        get: operations["health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * May a load balancer send requests here?
         * @description Not while the store does not answer or may have been replaced, nor once the server is told to stop.
         */
        get: operations["ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Prometheus metrics */
        get: operations["metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document */
        get: operations["openapi"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/templates": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What can be tried
         * @description Needs no API key.
         */
        get: operations["listTemplates"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/waiting/{place}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Look at a place, and keep it
         * @description Needs no API key. Takes no instance: when the `state` is `turn`, POST the place.
         */
        get: operations["getPlace"];
        put?: never;
        post?: never;
        /**
         * Give a place up
         * @description Those behind move up. Needs no API key. Doing it again is fine.
         */
        delete: operations["leavePlace"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/waiting/{place}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Watch a place, and keep it
         * @description Server-Sent Events, each with the place as JSON: `place` whenever it changed; `turn` when there is an instance for it, and the stream closes: POST the place then. `gone`: nobody has it any more. Needs no key.
         */
        get: operations["watchPlace"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/demo/{id}/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Watch the time an instance has left
         * @description Server-Sent Events: `countdown` each second with `state`, `remaining_seconds` and `expires_at`; at the end one `ended`, and the stream closes. Close it on your side then, or an EventSource asks again. An EventSource sends no key: it opens `countdown_url` of the acquire.
         */
        get: operations["watchDemo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/demo/acquire": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take a running instance
         * @description 201 for a fresh one; 200 when the Idempotency-Key found the one taken before.
         */
        post: operations["acquireDemo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/demo/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Look at an instance */
        get: operations["getDemo"];
        put?: never;
        post?: never;
        /**
         * Give an instance back
         * @description Its address stops working at once; the container follows in the background. Doing it again, or for an id that has long ended, is fine.
         */
        delete: operations["releaseDemo"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/demo/{id}/extend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Keep an instance longer */
        post: operations["extendDemo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/demo/{id}/use": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say that an instance is still wanted
         * @description For what the proxy does not see. Requests to the instance and open WebSockets count as use by themselves; a template with `idle` ends what is not used, one with `renew: on_use` keeps what is.
         */
        post: operations["useDemo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/demo/{id}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Download what is in an instance
         * @description What the template offers by `export`, in the type and under the name it says. An answer that breaks off is not whole. One at a time for an instance, and four for an address without an API key.
         */
        get: operations["exportDemo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/waiting": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take an instance, or a place in the line for one
         * @description 201: an instance, as an acquire answers it. 202: a place; POST again with it, at the latest when its turn has come, and within 20 s while nobody listens to its events. A repeated POST gets the same instance.
         */
        post: operations["wait"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pool/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many instances there are */
        get: operations["poolStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description An RFC 9457 problem. */
        Problem: {
            /**
             * Format: uri
             * @description Where people can read about this kind of problem.
             */
            type: string;
            title: string;
            status: number;
            /** @description What happened, to what, and why, for a person. */
            detail: string;
            /** @description What to do about it. */
            remedy: string;
            /** @description The stable name of the problem, for programs. */
            code: string;
            /** @description Also in the X-Request-Id header and in the server's log. */
            request_id: string;
            /** @description True when the same request may succeed later without being changed. */
            retryable: boolean;
            /** @description As in the Retry-After header. */
            retry_after_seconds?: number;
            /** @description For pool_empty: `preparing`, `failing` (the last starts failed), `full` (as many as there may be are in use) or `off` (its target is 0). */
            refill?: string;
            /** @description For invalid_request: each wrong value as a JSON pointer. */
            errors?: {
                pointer: string;
                message: string;
            }[];
        } & {
            [key: string]: unknown;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It does. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        status: "ok";
                    };
                };
            };
        };
    };
    ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It may. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {string} */
                        status: "ready";
                    };
                };
            };
            /** @description `shutting_down`: The server is shutting down. `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The Prometheus text format. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
        };
    };
    openapi: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description OpenAPI 3.1. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
        };
    };
    listTemplates: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description In the order of the catalogue. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        templates: {
                            /** @description What an acquire takes as `template`. */
                            name: string;
                            title: string;
                            description: string;
                            /** @description True for the one an acquire without `template` gets. */
                            default: boolean;
                            /**
                             * Format: date-time
                             * @description From then on nobody gets one.
                             */
                            ends_at?: string;
                            /** @description How long an instance is yours at first. */
                            ttl_seconds: number;
                            /** @description The name of the file that `GET /api/v1/demo/{id}/export` downloads. */
                            export_file?: string;
                            /** @description How long it can be yours with every extension. */
                            max_ttl_seconds: number;
                        }[];
                    };
                };
            };
        };
    };
    getPlace: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Anyone who knows it can take the instance, or give the place up; keep it secret. */
                place: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A place among those who wait, first come, first served. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /**
                         * @description `turn`: there is an instance for this place; take it with a POST within ten seconds.
                         * @enum {unknown}
                         */
                        state: "waiting" | "turn";
                        /** @description Anyone who knows it can take the instance, or give the place up; keep it secret. */
                        place: string;
                        template: string;
                        /** @description 1 is the first. It only shrinks. */
                        position: number;
                        /** @description Estimated from how fast instances came up lately; null while nothing is prepared (`reason` says why), or where none ever came up yet. */
                        eta_seconds: number | null;
                        /**
                         * @description What is waited for: `preparing`, `failing` (the last starts failed), `full` (for a visit to end: the time is the latest), `off` or `paused` (by the operators).
                         * @enum {unknown}
                         */
                        reason: "preparing" | "failing" | "full" | "off" | "paused";
                        waited_seconds: number;
                        /** @description For who polls; a place is kept for 20 s. */
                        ask_again_seconds: number;
                    };
                };
            };
            /** @description `unknown_place`: Nobody waits at this place. `unknown_template`: There is no such template. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    leavePlace: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Anyone who knows it can take the instance, or give the place up; keep it secret. */
                place: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Nobody has this place any more. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `unknown_template`: There is no such template. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    watchPlace: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Anyone who knows it can take the instance, or give the place up; keep it secret. */
                place: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description `unknown_place`: Nobody waits at this place. `unknown_template`: There is no such template. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too_many_streams`: Too many streams are open. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    watchDemo: {
        parameters: {
            query?: {
                /** @description From `countdown_url`: in place of the API key, for this alone. */
                token?: string;
            };
            header?: never;
            path: {
                /** @description Anyone who knows it controls the instance; keep it secret. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description `invalid_request`: The request has a wrong value. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `key_missing`: An API key is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `key_wrong`: The API key is not accepted. `token_wrong`: The token is not valid. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unknown_instance`: There is no such instance. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `too_many_streams`: Too many streams are open. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    acquireDemo: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key again from the same client answers the same instance for as long as it runs. 1 to 255 printable ASCII characters. */
                "idempotency-key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        /** @description Optional: no body, an empty one and {} all ask for the default template. */
        requestBody?: {
            content: {
                "application/json": {
                    /** @description Which app; without it the first of the catalogue. */
                    template?: string;
                    /** @description Where the visitor lands: the template's `open.default`, or a path that its `open.allow` names. */
                    open?: string;
                    /** @description The solution of the challenge that `challenge_required` came with, as ALTCHA encodes it. */
                    altcha?: string;
                };
            };
        };
        responses: {
            /** @description The instance, running and yours. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Anyone who knows it controls the instance; keep it secret. */
                        id: string;
                        /**
                         * Format: uri
                         * @description Open this: the instance answers here at once. The one that acquire answers may sign its visitor in, once.
                         */
                        url: string;
                        /** @description Which app it runs. */
                        template: string;
                        /**
                         * Format: date-time
                         * @description When the instance ends (RFC 3339, by the server's clock).
                         */
                        expires_at: string;
                        /** @description Seconds left at the time of the answer. */
                        ttl_seconds: number;
                        /**
                         * Format: uri
                         * @description Server-Sent Events of the time left, for a browser to open without the API key. It holds for the longest that the visit may last, and lets nobody do anything else.
                         */
                        countdown_url: string;
                    };
                };
            };
            /** @description The instance, running and yours. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Anyone who knows it controls the instance; keep it secret. */
                        id: string;
                        /**
                         * Format: uri
                         * @description Open this: the instance answers here at once. The one that acquire answers may sign its visitor in, once.
                         */
                        url: string;
                        /** @description Which app it runs. */
                        template: string;
                        /**
                         * Format: date-time
                         * @description When the instance ends (RFC 3339, by the server's clock).
                         */
                        expires_at: string;
                        /** @description Seconds left at the time of the answer. */
                        ttl_seconds: number;
                        /**
                         * Format: uri
                         * @description Server-Sent Events of the time left, for a browser to open without the API key. It holds for the longest that the visit may last, and lets nobody do anything else.
                         */
                        countdown_url: string;
                    };
                };
            };
            /** @description `invalid_request`: The request has a wrong value. `malformed_request`: The request could not be read. `landing_not_allowed`: The app does not let visitors land there. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `key_missing`: An API key is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `banned`: Nothing is handed out to this address. `challenge_required`: Some work has to be proven first. `key_wrong`: The API key is not accepted. `foreign_origin`: The request came from another site. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unknown_template`: There is no such template. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `template_ended`: It is not offered any more. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `body_too_large`: The request body is too large. */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unsupported_media_type`: The content type is not supported. */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `idempotency_mismatch`: The idempotency key was used for another template. */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `harm_limit`: Several visits from here were ended because they harmed others. `hourly_limit`: Too many instances in this hour. `daily_limit`: Too many instances today. `held_limit`: As many instances are held as may be at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `pool_empty`: No instance is ready right now. `pool_paused`: No instances are handed out for the moment. `store_unavailable`: The state store cannot serve now. `shutting_down`: The server is shutting down. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    getDemo: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Anyone who knows it controls the instance; keep it secret. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The instance as it is now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Anyone who knows it controls the instance; keep it secret. */
                        id: string;
                        /**
                         * @description `assigned` while it is yours to use, `releasing` once it is being taken down.
                         * @enum {unknown}
                         */
                        state: "assigned" | "releasing";
                        /**
                         * Format: uri
                         * @description Open this: the instance answers here at once. The one that acquire answers may sign its visitor in, once.
                         */
                        url?: string;
                        /** @description Which app it runs. */
                        template: string;
                        /**
                         * Format: date-time
                         * @description When the instance ends (RFC 3339, by the server's clock).
                         */
                        expires_at?: string;
                        /** @description Seconds left at the time of the answer. */
                        ttl_seconds: number;
                        /**
                         * Format: date-time
                         * @description When it ends unless somebody uses it before; only of a template with `idle`.
                         */
                        unused_end_at?: string;
                        seconds_until_unused_end?: number;
                    };
                };
            };
            /** @description `key_missing`: An API key is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `key_wrong`: The API key is not accepted. `foreign_origin`: The request came from another site. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unknown_instance`: There is no such instance. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    releaseDemo: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Anyone who knows it controls the instance; keep it secret. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description There is no such running instance any more. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `key_missing`: An API key is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `key_wrong`: The API key is not accepted. `foreign_origin`: The request came from another site. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unknown_instance`: There is no such instance. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    extendDemo: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Anyone who knows it controls the instance; keep it secret. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description How much longer; the template's longest stay bounds the sum. */
                    minutes: number;
                };
            };
        };
        responses: {
            /** @description How long it is yours now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Anyone who knows it controls the instance; keep it secret. */
                        id: string;
                        /**
                         * Format: date-time
                         * @description When the instance ends (RFC 3339, by the server's clock).
                         */
                        expires_at: string;
                        /** @description Seconds left at the time of the answer. */
                        ttl_seconds: number;
                    };
                };
            };
            /** @description `invalid_request`: The request has a wrong value. `malformed_request`: The request could not be read. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `key_missing`: An API key is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `banned`: Nothing is handed out to this address. `key_wrong`: The API key is not accepted. `foreign_origin`: The request came from another site. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unknown_instance`: There is no such instance. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not_assigned`: The instance is not held by anybody. `extension_limit`: The instance cannot be extended any further. `others_wait`: Others wait for an instance. `conflicting_change`: The instance was changed at the same time. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    useDemo: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Anyone who knows it controls the instance; keep it secret. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Noted. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `key_missing`: An API key is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `key_wrong`: The API key is not accepted. `foreign_origin`: The request came from another site. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unknown_instance`: There is no such instance. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not_assigned`: The instance is not held by anybody. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    exportDemo: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Anyone who knows it controls the instance; keep it secret. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description `key_missing`: An API key is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `key_wrong`: The API key is not accepted. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unknown_instance`: There is no such instance. `no_export`: There is nothing to download. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `not_assigned`: The instance is not held by anybody. `other_node`: The container is on another node. */
            409: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `export_busy`: A download is under way already. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `export_failed`: The app could not give what was to be downloaded. `export_too_large`: What was to be downloaded is too large. */
            502: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    wait: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @description Which app; without it the first of the catalogue. */
                    template?: string;
                    /** @description Where the visitor lands: the template's `open.default`, or a path that its `open.allow` names. */
                    open?: string;
                    /** @description The solution of the challenge that `challenge_required` came with, as ALTCHA encodes it. */
                    altcha?: string;
                    /** @description From an earlier answer, to ask again without losing the place; or of your own making: the template, a dot and 22 random characters of base64url, so that a POST whose answer is lost can be repeated. */
                    place?: string;
                };
            };
        };
        responses: {
            /** @description The instance, running and yours. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Anyone who knows it controls the instance; keep it secret. */
                        id: string;
                        /**
                         * Format: uri
                         * @description Open this: the instance answers here at once. The one that acquire answers may sign its visitor in, once.
                         */
                        url: string;
                        /** @description Which app it runs. */
                        template: string;
                        /**
                         * Format: date-time
                         * @description When the instance ends (RFC 3339, by the server's clock).
                         */
                        expires_at: string;
                        /** @description Seconds left at the time of the answer. */
                        ttl_seconds: number;
                        /**
                         * Format: uri
                         * @description Server-Sent Events of the time left, for a browser to open without the API key. It holds for the longest that the visit may last, and lets nobody do anything else.
                         */
                        countdown_url: string;
                    };
                };
            };
            /** @description The instance, running and yours. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Anyone who knows it controls the instance; keep it secret. */
                        id: string;
                        /**
                         * Format: uri
                         * @description Open this: the instance answers here at once. The one that acquire answers may sign its visitor in, once.
                         */
                        url: string;
                        /** @description Which app it runs. */
                        template: string;
                        /**
                         * Format: date-time
                         * @description When the instance ends (RFC 3339, by the server's clock).
                         */
                        expires_at: string;
                        /** @description Seconds left at the time of the answer. */
                        ttl_seconds: number;
                        /**
                         * Format: uri
                         * @description Server-Sent Events of the time left, for a browser to open without the API key. It holds for the longest that the visit may last, and lets nobody do anything else.
                         */
                        countdown_url: string;
                    };
                };
            };
            /** @description A place among those who wait, first come, first served. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /**
                         * @description `turn`: there is an instance for this place; take it with a POST within ten seconds.
                         * @enum {unknown}
                         */
                        state: "waiting" | "turn";
                        /** @description Anyone who knows it can take the instance, or give the place up; keep it secret. */
                        place: string;
                        template: string;
                        /** @description 1 is the first. It only shrinks. */
                        position: number;
                        /** @description Estimated from how fast instances came up lately; null while nothing is prepared (`reason` says why), or where none ever came up yet. */
                        eta_seconds: number | null;
                        /**
                         * @description What is waited for: `preparing`, `failing` (the last starts failed), `full` (for a visit to end: the time is the latest), `off` or `paused` (by the operators).
                         * @enum {unknown}
                         */
                        reason: "preparing" | "failing" | "full" | "off" | "paused";
                        waited_seconds: number;
                        /** @description For who polls; a place is kept for 20 s. */
                        ask_again_seconds: number;
                    };
                };
            };
            /** @description `invalid_request`: The request has a wrong value. `malformed_request`: The request could not be read. `landing_not_allowed`: The app does not let visitors land there. */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `key_missing`: An API key is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `foreign_origin`: The request came from another site. `banned`: Nothing is handed out to this address. `challenge_required`: Some work has to be proven first. `key_wrong`: The API key is not accepted. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `unknown_template`: There is no such template. */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `template_ended`: It is not offered any more. */
            410: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `harm_limit`: Several visits from here were ended because they harmed others. `hourly_limit`: Too many instances in this hour. `daily_limit`: Too many instances today. `held_limit`: As many instances are held as may be at once. */
            429: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `pool_empty`: No instance is ready right now. `pool_paused`: No instances are handed out for the moment. `store_unavailable`: The state store cannot serve now. `shutting_down`: The server is shutting down. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    poolStats: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pool right now. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description Warm and waiting for a visitor. */
                        ready: number;
                        /** @description Held by a visitor. */
                        assigned: number;
                        /** @description Being prepared. */
                        warming: number;
                        /** @description Being taken down, or set aside because that keeps failing. */
                        leaving: number;
                        /** @description Visitors who wait for one. */
                        waiting: number;
                        /** @description How many should be ready. */
                        target: number;
                        /** @description How many may exist at once, in whatever state. */
                        capacity: number;
                        /** @description The same per template; the figures above are their sums. */
                        templates: {
                            [key: string]: {
                                /** @description Warm and waiting for a visitor. */
                                ready: number;
                                /** @description Held by a visitor. */
                                assigned: number;
                                /** @description Being prepared. */
                                warming: number;
                                /** @description Being taken down, or set aside because that keeps failing. */
                                leaving: number;
                                /** @description Visitors who wait for one. */
                                waiting: number;
                                /** @description How many should be ready. */
                                target: number;
                                /** @description How many may exist at once, in whatever state. */
                                capacity: number;
                            };
                        };
                    };
                };
            };
            /** @description `key_missing`: An API key is needed. */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `key_wrong`: The API key is not accepted. */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description `store_unavailable`: The state store cannot serve now. */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
