<?php
// What is this instance's own: written once by its activation, read by the configuration.
const OWN_FILE = '/app/own/own.php';

/** @return array{key: string, socket: string, name: string, user: string, password: string}|null */
function own(): ?array
{
    return is_file(OWN_FILE) ? require OWN_FILE : null;
}
