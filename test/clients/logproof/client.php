<?php
// A client of LogProof as its documentation has it, in PHP with curl. It knows nothing of Logferry.
// Environment and output are those of client.py.

$seen = ['requests' => 0, 'without_rate_limit' => 0];

class LogProofError extends Exception
{
    public function __construct(public int $status, public string $type, string $message, public array $headers)
    {
        parent::__construct($message);
    }
}

/** Sends a request. With $sink the reply is written into the file that it names, piece by piece as it comes. */
function call(string $method, string $path, array $options = []): array
{
    global $seen;
    $query = isset($options['query']) ? '?' . http_build_query($options['query']) : '';
    $curl = curl_init(getenv('LOGPROOF_URL') . $path . $query);
    $headers = [];
    $body = '';
    $file = null;
    $name = null;
    $sent = ['Authorization: Bearer ' . ($options['key'] ?? getenv('LOGPROOF_KEY'))];
    if (isset($options['json'])) {
        $sent[] = 'Content-Type: application/json';
        curl_setopt($curl, CURLOPT_POSTFIELDS, json_encode($options['json']));
    }
    curl_setopt_array($curl, [
        CURLOPT_CUSTOMREQUEST => $method,
        CURLOPT_HTTPHEADER => $sent,
        CURLOPT_TIMEOUT => 30,
        CURLOPT_HEADERFUNCTION => function ($curl, string $line) use (&$headers): int {
            $pair = explode(':', $line, 2);
            if (count($pair) === 2) {
                $headers[strtolower($pair[0])] = trim($pair[1]);
            }
            return strlen($line);
        },
        CURLOPT_WRITEFUNCTION => function ($curl, string $piece) use (&$headers, &$body, &$file, &$name, $options): int {
            if (empty($options['sink']) || curl_getinfo($curl, CURLINFO_RESPONSE_CODE) >= 400) {
                $body .= $piece;
                return strlen($piece);
            }
            if ($file === null) {
                preg_match('/filename="([^"]+)"/', $headers['content-disposition'], $found);
                $name = $found[1];
                $file = fopen(getenv('LOGPROOF_DIR') . '/' . $name, 'wb');
            }
            return fwrite($file, $piece);
        },
    ]);
    if (curl_exec($curl) === false) {
        throw new RuntimeException(curl_error($curl));
    }
    if ($file !== null) {
        fclose($file);
    }
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    $seen['requests']++;
    if (!isset($headers['x-ratelimit-limit'], $headers['x-ratelimit-remaining'])) {
        $seen['without_rate_limit']++;
    }
    $read = $body === '' ? null : json_decode($body, false, 512, JSON_THROW_ON_ERROR);
    if ($status >= 400) {
        throw new LogProofError($status, $read->error->type, $read->error->message, $headers);
    }
    return ['status' => $status, 'headers' => $headers, 'body' => $read, 'name' => $name];
}

function numbers(array $events): array
{
    return array_map(fn (object $event): int => $event->sequence_number, $events);
}

function listAll(array $query): array
{
    $events = [];
    $pages = 0;
    $cursor = null;
    do {
        $page = call('GET', '/events', ['query' => $query + ($cursor === null ? [] : ['cursor' => $cursor])])['body'];
        $events = array_merge($events, $page->data);
        $pages++;
        $cursor = $page->meta->next_cursor;
    } while ($page->meta->has_more);
    return ['pages' => $pages, 'numbers' => numbers($events)];
}

function export(array $query): array
{
    $reply = call('GET', '/events/export', ['query' => $query, 'sink' => true]);
    return ['name' => $reply['name'], 'type' => explode(';', $reply['headers']['content-type'])[0]];
}

function refused(string $method, string $path, array $options = []): ?array
{
    try {
        call($method, $path, $options);
        return null;
    } catch (LogProofError $error) {
        return [
            'status' => $error->status,
            'type' => $error->type,
            'message' => $error->getMessage(),
            'remaining' => (int) $error->headers['x-ratelimit-remaining'],
            'retry_after' => isset($error->headers['retry-after']) ? (int) $error->headers['retry-after'] : null,
        ];
    }
}

function useUp(): ?array
{
    for ($i = 0; $i < 1000; $i++) {
        $error = refused('GET', '/events', ['key' => getenv('LOGPROOF_BUSY')]);
        if ($error !== null) {
            return $error;
        }
    }
    return null;
}

$one = call('POST', '/events', ['json' => [
    'action' => 'user.login',
    'actor' => ['id' => 'usr_0', 'type' => 'user', 'name' => 'Ana', 'email' => 'ana@example.com', 'meta' => ['team' => 'blue']],
    'context' => ['ip' => '203.0.113.42', 'user_agent' => "two\nlines"],
    'occurred_at' => '2026-02-10T00:00:00Z',
]]);
$actions = ['user.login', 'user.deleted', 'document.deleted', 'document.updated'];
$batch = call('POST', '/events/batch', ['json' => ['events' => array_map(fn (int $i): array => [
    'action' => $actions[$i % 4],
    'actor' => ['id' => 'usr_' . $i % 3, 'type' => 'user', 'meta' => ['name' => 'Jané, "J"']],
    'target' => ['type' => 'document', 'id' => 'doc_' . $i % 5, 'meta' => ['title' => 'Q4']],
    'diff' => ['before' => ['status' => 'draft'], 'after' => ['status' => 'published', 'n' => $i]],
    'metadata' => ['n' => $i],
    'occurred_at' => sprintf('2026-02-10T00:00:%02dZ', $i % 60),
], range(0, 99))]]);

echo json_encode([
    'one' => ['status' => $one['status'], 'event' => $one['body']->data],
    'batch' => ['status' => $batch['status'], 'numbers' => numbers($batch['body']->data)],
    'by_prefix' => listAll(['action' => 'user.*', 'per_page' => 7]),
    'by_suffix' => listAll(['action' => '*.deleted', 'per_page' => 100]),
    'by_time' => listAll(['from' => '2026-02-10T00:00:10Z', 'to' => '2026-02-10T00:00:12Z']),
    'json' => export(['format' => 'json']),
    'csv' => export(['format' => 'csv', 'action' => '*.deleted', 'actor_id' => 'usr_1', 'target_type' => 'document',
        'from' => '2026-02-10T00:00:00Z', 'to' => '2026-02-10T00:00:30Z']),
    'verify' => call('GET', '/verify')['body']->data,
    'errors' => [
        'unknown_key' => refused('GET', '/events', ['key' => 'lp_sk_nobody']),
        'scope' => refused('POST', '/events', ['key' => getenv('LOGPROOF_READER'), 'json' => ['action' => 'user.login']]),
        'plan' => refused('GET', '/events/export', ['key' => getenv('LOGPROOF_FREE'), 'sink' => true]),
        'missing' => refused('GET', '/events/evt_2Nz9Q8kL3Fy'),
        'invalid' => refused('POST', '/events', ['json' => ['actor' => ['id' => 'usr_1']]]),
        'too_many' => useUp(),
    ],
] + $seen, JSON_THROW_ON_ERROR);
