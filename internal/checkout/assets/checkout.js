// The one script of the payment pages. Everything works without it: it formats and checks what is typed, keeps
// a form from being sent twice, waits for news, and tells the page around a frame what happened. It asks
// nobody but its own origin, and keeps nothing but the way back to a payment, until the tab is closed.
"use strict";
(() => {
	const one = (selector) => document.querySelector(selector);
	const digitsOf = (text) => text.replace(/\D/g, "");

	// --- The card -------------------------------------------------------------------------------------
	const pay = one("#pay");

	function luhn(digits) {
		let sum = 0;
		for (let i = 0; i < digits.length; i++) {
			let digit = Number(digits[digits.length - 1 - i]);
			if (i % 2 === 1 && (digit *= 2) > 9) digit -= 9;
			sum += digit;
		}
		return sum % 10 === 0;
	}

	function schemeOf(schemes, digits) {
		if (digits.length < 2) return null;
		const least = Number(digits.slice(0, 6).padEnd(6, "0")), most = Number(digits.slice(0, 6).padEnd(6, "9"));
		const fits = schemes.filter((s) => s.ranges.some(([first, last]) => first <= most && least <= last));
		const sure = fits.filter((s) => s.ranges.some(([first, last]) => first <= least && most <= last));
		return fits.length === 1 && sure.length === 1 ? sure[0] : null;
	}

	// reformat writes the value anew and leaves the cursor behind the same digit.
	function reformat(input, write) {
		const before = digitsOf(input.value.slice(0, input.selectionStart)).length;
		const text = write(digitsOf(input.value), input.value);
		if (text === input.value) return;
		const atEnd = input.selectionStart === input.value.length;
		input.value = text;
		let at = 0;
		for (let seen = 0; at < text.length && seen < before; at++) if (/\d/.test(text[at])) seen++;
		if (atEnd) at = text.length;
		input.setSelectionRange(at, at);
	}

	// wrong shows or takes away the sentence at a field.
	function wrong(input, text) {
		const field = input.closest(".field"), id = input.id + "-error";
		let error = document.getElementById(id);
		field.classList.toggle("wrong", text !== "");
		if (text === "") {
			if (error) error.remove();
			input.removeAttribute("aria-invalid");
			input.setAttribute("aria-describedby", input.id + "-hint");
			return;
		}
		if (!error) {
			error = document.createElement("p");
			error.className = "error";
			error.id = id;
			field.insertBefore(error, input);
		}
		error.textContent = input.dataset.error + " " + text;
		input.setAttribute("aria-invalid", "true");
		input.setAttribute("aria-describedby", input.id + "-hint " + id);
	}

	function form() {
		const number = one("#number"), expiry = one("#expiry"), cvv = one("#cvv"), holder = one("#holder");
		const brand = one("#brand"), button = pay.querySelector("button"), progress = one("#progress");
		const schemes = JSON.parse(number.dataset.schemes);
		const scheme = () => schemeOf(schemes, digitsOf(number.value));
		let sent = false;

		const checks = new Map([
			[number, () => {
				const digits = digitsOf(number.value), s = scheme();
				if (digits === "") return number.dataset.empty;
				const length = s ? s.digits.includes(digits.length) : digits.length >= 12 && digits.length <= 19;
				return length && luhn(digits) ? "" : number.dataset.wrong;
			}],
			[expiry, () => {
				const parts = expiry.value.split("/").map(digitsOf);
				const month = Number(parts[0]), width = (parts[1] || "").length;
				return parts.length === 2 && month >= 1 && month <= 12 && (width === 2 || width === 4)
					? "" : expiry.dataset.wrong;
			}],
			[cvv, () => {
				const s = scheme(), digits = cvv.value.trim();
				if (digits === "" && s && s.noCvv) return "";
				return /^\d+$/.test(digits) && (s ? digits.length === s.cvv : digits.length === 3 || digits.length === 4)
					? "" : cvv.dataset.wrong;
			}],
			[holder, () => holder.value.trim() !== "" && !/\d{6}/.test(holder.value) ? "" : holder.dataset.wrong],
		]);
		for (const [input, check] of checks) {
			input.addEventListener("blur", () => { if (input.value !== "") wrong(input, check()); });
			input.addEventListener("input", () => {
				if (input.getAttribute("aria-invalid") && check() === "") wrong(input, "");
			});
		}
		number.addEventListener("input", () => {
			reformat(number, (digits) => {
				const s = scheme(), gaps = s ? s.gaps : [4, 8, 12, 16];
				return digits.slice(0, 19).split("").map((d, i) => (gaps.includes(i) ? " " : "") + d).join("");
			});
			const s = scheme(), name = s ? s.name : "";
			if (brand.textContent !== name) brand.textContent = name;
		});
		expiry.addEventListener("input", () => reformat(expiry, (digits, typed) => {
			if (digits.length === 1 && digits > "1") digits = "0" + digits;
			if (typed.includes("/") && digits.length < 3) return typed;
			return digits.length > 2 ? digits.slice(0, 2) + "/" + digits.slice(2, 6) : digits;
		}));

		pay.noValidate = true; // the sentences of the page instead of the browser's
		pay.addEventListener("submit", (event) => {
			if (sent) {
				event.preventDefault();
				return;
			}
			let first = null;
			for (const [input, check] of checks) {
				const text = check();
				wrong(input, text);
				if (text !== "" && !first) first = input;
			}
			if (first) {
				event.preventDefault();
				first.focus();
				return;
			}
			sent = true;
			button.setAttribute("aria-disabled", "true");
			progress.textContent = pay.dataset.busy;
		});
		window.addEventListener("pageshow", (event) => {
			if (event.persisted) location.reload(); // from the browser's memory: a payment may be under way
		});
		const says = {
			colorDepth: screen.colorDepth, screenHeight: screen.height, screenWidth: screen.width,
			timeZone: new Date().getTimezoneOffset(),
		};
		for (const input of document.querySelectorAll("[data-browser]")) input.value = says[input.dataset.browser];
	}

	// --- The time that is left --------------------------------------------------------------------------
	function countDown(left) {
		const until = performance.now() + Number(left.dataset.seconds) * 1000;
		const say = (kind, n) => left.dataset[kind].replace("#", n);
		const show = () => {
			const rest = until - performance.now();
			if (rest <= 0) {
				location.reload(); // the page says that the link has expired
				return;
			}
			const minutes = Math.max(1, Math.floor(rest / 60000));
			const days = Math.floor(minutes / 1440), hours = Math.floor(minutes / 60) % 24;
			const parts = [];
			if (days > 0) parts.push(say("days", days));
			if (hours > 0) parts.push(say("hours", hours));
			if (days === 0 && (minutes % 60 > 0 || hours === 0)) parts.push(say("minutes", minutes % 60));
			const text = parts.join(" ");
			if (left.textContent !== text) left.textContent = text;
			setTimeout(show, Math.min(rest, 15000));
		};
		if (Number(left.dataset.seconds) > 0) show();
	}

	// --- Waiting for news -------------------------------------------------------------------------------
	function ask(element) {
		let pause = 1000;
		const again = async () => {
			try {
				const answer = await fetch(element.dataset.poll, { cache: "no-store" });
				if (answer.ok && (await answer.json()).state !== element.dataset.state) {
					location.reload();
					return;
				}
			} catch { /* no network for now */ }
			pause = Math.min(pause * 1.5, 10000);
			setTimeout(again, pause);
		};
		setTimeout(again, pause);
	}

	// --- 3-D Secure -------------------------------------------------------------------------------------
	function visit(frame) {
		const after = one("[data-after-visit]");
		let over = false;
		const goOn = (done) => {
			if (over) return;
			over = true;
			after.elements.method.value = done;
			after.submit();
		};
		frame.addEventListener("load", () => {
			let ours = null;
			try { ours = frame.contentDocument; } catch { /* the bank's page */ }
			if (ours && ours.querySelector("[data-visited]")) goOn("Y");
		});
		setTimeout(() => goOn("N"), 10000);
		one("[data-visit]").submit();
	}

	// --- The way back to a payment, for a frame that keeps no cookies --------------------------------------
	function wayBack() {
		const ofPayment = /^\/checkout\/pl\/pl_[0-9a-f]{32}\/[^/]+$/.test(location.pathname);
		const busy = one("[data-state=busy]"), name = "plexy_paying";
		try {
			const kept = sessionStorage.getItem(name) || "";
			if (busy && kept.startsWith(busy.dataset.poll.split("state")[0])) {
				location.replace(kept + "#main"); // by which the page knows that the payer came back
			} else if (ofPayment && one("[data-send], [data-bank], [data-poll]")) {
				sessionStorage.setItem(name, location.pathname + location.search);
			} else if (ofPayment) {
				sessionStorage.removeItem(name);
			}
		} catch { /* the browser keeps nothing at all */ }
	}

	// --- The page around ours ---------------------------------------------------------------------------
	function tell(element) {
		if (window.parent === window) return;
		const message = JSON.parse(element.dataset.tell);
		// The browser hands it over only where the parent's origin is the named one.
		for (const origin of JSON.parse(element.dataset.origins)) window.parent.postMessage(message, origin);
	}

	for (const button of document.querySelectorAll("[data-print]")) {
		button.hidden = false;
		button.addEventListener("click", () => window.print());
	}
	wayBack();
	if (pay) form();
	for (const [selector, act] of [["#left", countDown], ["[data-poll]", ask], ["[data-bank]", visit],
		["[data-tell]", tell]]) {
		const element = one(selector);
		if (element) act(element);
	}
	const challenge = one("[data-send]");
	// Who comes back from the bank's page without an answer decides what to do next.
	const came = performance.getEntriesByType("navigation")[0]?.type === "navigate" && location.hash === "";
	if (challenge && came) challenge.submit();
})();
