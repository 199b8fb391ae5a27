// Opens the payment page over a shop's own page. The name, openPopup and on("close") are those that the
// published plug-in uses. It learns what the page in the frame tells its allowed parents (docs/checkout.md).
(() => {
	"use strict";
	const no = "failure";
	const ends = { paid: "success", declined: no, failed: no, expired: no, cancelled: no };

	window.PlexyPayApi = class {
		#listeners = [];
		#close = () => {};

		// Only "close" happens: {status} is "success", "failure", or "cancel" when the payer went away undecided.
		on(name, listener) {
			if (name === "close") this.#listeners.push(listener);
			return this;
		}

		openPopup(address) {
			this.#close();
			const url = new URL(address, location.href);
			let status = "cancel", silent = true;
			const dialog = document.createElement("dialog"), frame = document.createElement("iframe");
			const leave = document.createElement("button");
			dialog.style.cssText = "border:0;padding:0;border-radius:8px;overflow:hidden;" +
				"width:min(30rem,100vw);max-width:100vw;height:min(54rem,96vh);max-height:100vh";
			frame.style.cssText = "border:0;width:100%;height:100%;display:block";
			leave.style.cssText = "position:absolute;top:4px;right:4px;width:44px;height:44px;border:0;" +
				"background:transparent;color:inherit;font:24px/1 sans-serif;cursor:pointer";
			frame.allow = "payment";
			frame.title = url.host;
			leave.type = "button";
			leave.textContent = "\u00d7";
			leave.ariaLabel = "\u00d7 " + url.host;

			const heard = (event) => {
				if (event.origin !== url.origin || event.source !== frame.contentWindow ||
					event.data?.source !== "plexy-checkout") return;
				silent = false;
				status = ends[event.data.state] ?? "cancel";
				if (status === "success") dialog.close();
			};
			dialog.addEventListener("close", () => {
				removeEventListener("message", heard);
				dialog.remove();
				this.#close = () => {};
				for (const listener of this.#listeners) listener({ status });
			});
			leave.addEventListener("click", () => dialog.close());
			addEventListener("message", heard);
			this.#close = () => dialog.close();
			// A shop that may not show the page in a frame hears nothing from it: the payer goes there instead.
			frame.addEventListener("load", () => setTimeout(() => {
				if (silent && dialog.open) location.assign(url);
			}, 3000), { once: true });
			frame.src = url.href;
			dialog.append(frame, leave);
			document.body.append(dialog);
			dialog.showModal();
		}
	};
})();
