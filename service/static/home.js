// The example questions open the chat and ask themselves.
document.getElementById("tries").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-ask]");
  const chat = document.querySelector("paretodesk-chat");
  if (button && chat) chat.ask(button.dataset.ask);
});
