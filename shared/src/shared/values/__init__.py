"""Values that cross a border: one module per datum, each with its limits, its error sentences and its tests.

A border is whatever takes text or numbers from somebody else: HTTP, Kafka topics that shops write, answers of banks,
cash registers and operators, webhooks, command lines. It parses each datum once into a type of this package; nothing
further in has a second rule. `tests/test_borders.py` finds a field of a border that is a bare `str`, `int` or
`datetime`.

| module | datum | what it refuses |
|---|---|---|
| `text` | `Line`, `Lines` for people; `cleaned` for outside systems | control characters, lone surrogates, length |
| `opaque` | `Opaque`, `Url`: somebody else's ids and links | all but printable ASCII |
| `email_address` | `Email` | what no mail server can be given |
| `phone` | `Phone` | a number that no country has |
| `iccid`, `eid` | SIM profiles and chips | other lengths, letters, a wrong checksum |
| `activation_code` | `ActivationCode` | what a phone could not scan |
| `client_address` | `ClientAddress` | what is no IP address |
| `count` | `Count`, `Id64` | what does not fit 64 bits |
| `moment` | `Moment`, `Day` | no time zone; years before 2000 or after 2099 |
| `money` | minor units | more than two decimals, more than 10^15 |
| `traceparent` | W3C Trace Context | malformed |

Two ways of reading: types and `parse` refuse, for people and shops (HTTP answers 422 and names the field); functions
that return None or a cleaned text are for outside systems, whose facts must not be lost for a character.
Nothing here does I/O, and no error repeats the value.
"""
