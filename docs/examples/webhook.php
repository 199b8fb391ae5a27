<?php
// Receives Plexy's webhooks with PHP 8 and nothing else. To try it:
//
//	PLEXY_TOKEN=whtok_… PLEXY_SECRETS=whsec_… php -S 127.0.0.1:3000 webhook.php
//
// While a secret is rotated PLEXY_SECRETS holds both, separated by a space.
// Under Apache with CGI the Authorization header needs "CGIPassAuth On".

declare(strict_types=1);

const MAX_SKEW = 300; // seconds
const MAX_BODY = 64 * 1024; // bytes

/**
 * Returns 0 if the delivery is Plexy's, of now and unaltered, or else the status to answer with.
 * $body is the bytes as they came: parsed and written again they are other bytes.
 */
function verify(array $server, string $body, string $token, array $secrets, int $now): int
{
    $id = $server['HTTP_WEBHOOK_ID'] ?? '';
    $time = $server['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    $signatures = $server['HTTP_WEBHOOK_SIGNATURE'] ?? '';
    if ($id === '' || str_contains($id, '.') || $signatures === '' || !preg_match('/^\d{1,12}\z/', $time)) {
        return 400;
    }
    if (abs($now - (int) $time) > MAX_SKEW) {
        return 401;
    }
    if (!hash_equals("Bearer $token", $server['HTTP_AUTHORIZATION'] ?? '')) {
        return 401;
    }
    foreach ($secrets as $secret) {
        $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
        if ($key === false || strlen($key) < 24) {
            continue; // not a secret
        }
        $want = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$time.$body", $key, true));
        foreach (explode(' ', $signatures) as $signature) {
            if (hash_equals($want, $signature)) {
                return 0;
            }
        }
    }
    return 401;
}

/**
 * Writes an event down. Work on it afterwards: Plexy waits 15 seconds. An event may come twice, so the place
 * where you keep events should have its id as the key.
 */
function note(array $event): void
{
    error_log("event {$event['id']} {$event['number']} {$event['name']}");
}

/** Returns the status to answer with. */
function receive(): int
{
    $token = (string) getenv('PLEXY_TOKEN');
    $secrets = array_filter(explode(' ', (string) getenv('PLEXY_SECRETS')));
    if ($token === '' || $secrets === []) {
        error_log('PLEXY_TOKEN and PLEXY_SECRETS must hold what Plexy showed for the endpoint');
        return 500;
    }
    if ($_SERVER['REQUEST_METHOD'] !== 'POST') {
        return 405;
    }
    $body = (string) file_get_contents('php://input', false, null, 0, MAX_BODY + 1);
    if (strlen($body) > MAX_BODY) {
        return 413;
    }
    $refused = verify($_SERVER, $body, $token, $secrets, time());
    if ($refused !== 0) {
        return $refused;
    }
    try {
        note(json_decode($body, true, 512, JSON_THROW_ON_ERROR));
        return 204;
    } catch (Throwable $error) {
        error_log('not noted: ' . $error->getMessage());
        return 500; // Plexy sends it again
    }
}

http_response_code(receive());
