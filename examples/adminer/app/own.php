<?php
// What is this instance's own: written once by its activation, read by the login.
const OWN_FILE = '/app/own/own.php';

/** @return array{key: string, folder: string, name: string, user: string, password: string}|null */
function own(): ?array
{
    return is_file(OWN_FILE) ? require OWN_FILE : null;
}
