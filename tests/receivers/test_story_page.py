"""The page of alerts in a person's hands: forms acknowledge, silence and end, and no other site's page may send them."""

import urllib.error
import urllib.parse
import urllib.request

from service import Service, eventually
from test_story_drift import error, routes, rule


class Kept(urllib.request.HTTPRedirectHandler):
    """Redirects are answers."""

    def redirect_request(self, *_):
        return None


def page(service, path="/alerts"):
    with urllib.request.urlopen(service.url + path, timeout=30) as answer:
        return answer.read().decode()


def sent(service, path, fields, site="same-origin"):
    """What a form's answer is: status and Location or text."""
    request = urllib.request.Request(
        service.url + path, data=urllib.parse.urlencode(fields).encode(), headers={"Sec-Fetch-Site": site}
    )
    try:
        urllib.request.build_opener(Kept).open(request, timeout=30)
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers.get("Location") or answer.read().decode()


def test_forms_of_the_page_do_what_the_commands_do(tmp_path, http_sink):
    sink = http_sink((200, {}, "ok"))
    service = Service(tmp_path, rule() + routes(sink.url))
    assert "Nothing fires." in page(service) and "No alert has ever fired" in page(service)
    service.send(error())
    eventually(lambda: "1 alert is firing." in page(service), "the page shows it")
    shown = page(service)
    assert "delay answers with errors" in shown and 'class="state firing"' in shown
    fingerprint = shown.split('name="fingerprint" value="')[1].split('"')[0]

    acknowledgement = {"fingerprint": fingerprint, "by": "ada", "comment": "on it"}
    status, text = sent(service, "/alerts/acknowledge", acknowledgement, site="cross-site")
    assert status == 403 and "cross_origin" in text and "looked after" not in page(service)
    assert sent(service, "/alerts/acknowledge", acknowledgement) == (303, "/alerts")
    assert "looked after by ada" in page(service), "at once"
    eventually(lambda: "ada looks after it" in service.run("alerts", "list"), "the alerter knows")
    for fields, expected, why in [({**acknowledgement, "by": " "}, 400, "say who looks after"), ({**acknowledgement, "fingerprint": "x"}, 404, "no alert")]:
        status, text = sent(service, "/alerts/acknowledge", fields)
        assert status == expected and why in text and 'href="/alerts"' in text
    assert service.ask("/api/v1/alerts/x/acknowledge", "POST", {"by": "ada"})[1]["code"] == "unknown_alert"
    assert service.ask(f"/api/v1/alerts/{fingerprint}/acknowledge", "POST", {"by": "bob"})[1]["acknowledged_by"] == "bob"

    silence = {"matchers": 'model="delay"\n\nseverity=error', "for": "4h", "created_by": "ada", "comment": "retraining <now>"}
    assert sent(service, "/alerts/silences", silence) == (303, "/alerts")
    assert "retraining &lt;now&gt;" in page(service)
    eventually(lambda: "silenced" in service.run("alerts", "list"), "it is silenced")
    [kept] = service.ask("/api/v1/silences")[1]["silences"]
    assert kept["matchers"] == ['model="delay"', 'severity="error"']
    status, text = sent(service, "/alerts/silences", {**silence, "matchers": "delay"})
    assert status == 400 and "is no matcher" in text
    assert sent(service, "/alerts/silences/end", {"id": kept["id"]}) == (303, "/alerts")
    assert "No alert is silenced." in page(service)
    service.end()
