//! Signing in more safely: authenticator app, recovery codes, password, passkeys.

words! {
    /// See [`super`].
    Factors {
        title: "How you sign in", "登录方式";
        lead: "A second proof keeps whoever learns your password out.", "第二重验证可以阻止得知您密码的人登录。";
        app: "Authenticator app", "身份验证器应用";
        app_on: "On: signing in needs a code of the app.", "已启用：登录时需要应用的验证码。";
        app_off: "Off: the password alone signs you in.", "未启用：仅凭密码即可登录。";
        app_set_up: "Set up an authenticator app", "设置身份验证器应用";
        app_set_up_lead: "An app on your phone shows a new code every half minute. From then on signing in needs your password and a code.", "手机应用每半分钟显示一个新验证码。此后登录需要密码和验证码。";
        app_secret: "Key for the app", "应用密钥";
        app_secret_lead: "Enter this key in your app (or open the link on your phone), then type the code that it shows. The key is shown this once.", "请在应用中输入此密钥（或在手机上打开链接），然后输入显示的验证码。密钥仅显示一次。";
        app_open: "Open in an app on this device", "在本设备的应用中打开";
        app_confirm: "Switch it on", "启用";
        app_end: "Switch the app off", "停用身份验证器应用";
        app_end_lead: "Your recovery codes stop working too.", "恢复码也将随之失效。";
        code: "Code of the app, or a recovery code", "应用验证码或恢复码";
        code_of_app: "Code that the app shows now", "应用当前显示的验证码";
        code_hint: "Only if you use an authenticator app.", "仅在您使用身份验证器应用时填写。";
        code_wrong: "The code is wrong or was used before. Wait for the next one.", "验证码有误或已被使用，请等待下一个。";
        code_needed: "Enter your password again, and the code that your app shows", "请重新输入密码以及应用显示的验证码";
        codes: "Recovery codes", "恢复码";
        codes_left: "{count} left", "剩余 {count} 个";
        codes_lead: "Each of them stands in for the app once. Keep them where you keep important papers; they are shown this once.", "每个恢复码可代替应用使用一次。请像保管重要文件一样保存；仅显示一次。";
        codes_renew: "Get new recovery codes", "获取新的恢复码";
        codes_renew_lead: "The old ones stop working.", "旧的恢复码将失效。";
        password: "Change your password", "修改密码";
        password_lead: "All your other sessions end.", "您的其他会话都将结束。";
        password_now: "Present password", "当前密码";
        password_new: "New password", "新密码";
        password_wrong: "This is not your password.", "密码不正确。";
        password_easy: "Too short or too easily guessed: take several words that do not belong together", "太短或太容易猜到：请使用几个互不相关的词";
        changed: "It is changed. All your other sessions have ended.", "已更改。您的其他会话均已结束。";
        passkey: "Passkey", "通行密钥";
        passkeys: "Passkeys", "通行密钥";
        passkeys_lead: "A passkey signs you in by fingerprint, face or PIN of your own device, without a password that others could learn.", "通行密钥使用您设备的指纹、面容或 PIN 登录，无需可能被他人得知的密码。";
        passkeys_changed: "Your passkeys are changed.", "通行密钥已更改。";
        passkey_add: "Add a passkey", "添加通行密钥";
        passkey_name: "Name of this passkey", "通行密钥名称";
        passkey_name_hint: "For example the device that keeps it.", "例如保存它的设备。";
        passkey_remove: "Remove a passkey", "移除通行密钥";
        passkey_added: "Added {added}", "添加于 {added}";
        passkey_used: "Added {added}, last used {used}", "添加于 {added}，上次使用 {used}";
        passkey_sign_in: "Sign in with a passkey", "使用通行密钥登录";
        passkey_not_confirmed: "Your browser or device did not confirm. Try again, or use your password.", "您的浏览器或设备未完成确认。请重试，或使用密码。";
        passkey_no_secret: "This device cannot protect your keys (it lacks the PRF extension). Use another one.", "此设备无法保护您的密钥（缺少 PRF 扩展），请使用其他设备。";
        passkey_refused: "This passkey does not sign you in: it was removed, or was never added here. Use another one, or your password", "此通行密钥无法登录：它已被移除或从未在此添加。请使用其他通行密钥或密码";
        working: "Checking", "正在验证";
        go_on: "Go on", "继续";
        step_up: "Confirm that it is you", "确认是您本人";
        step_up_lead: "You signed in a while ago. Before you share something or end it, show your password again; then do what you wanted to do once more.", "您登录已有一段时间。进行共享或终止操作之前，请再次输入密码，然后重新操作。";
        step_up_do: "Confirm", "确认";
    }
}
