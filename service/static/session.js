// Signing out: the page proves that it is one of this session by the value of its second cookie.
const token = document.cookie.match(/(?:^|; )(?:__Host-)?paretodesk_request=([^;]*)/)?.[1] ?? "";
document.getElementById("sign-out").addEventListener("click", async () => {
  await fetch("/logout", { method: "POST", headers: { "X-CSRF-Token": token } });
  location.assign("/login");
});
