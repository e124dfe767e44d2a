//! Signing in, registering, signing with one's own key.

words! {
    /// See [`super`].
    People {
        welcome: "Medical records, shared on your terms", "病历共享，由您决定";
        welcome_lead: "See your records from every hospital in one place. Decide who else may read them, know of each time anyone did, and be paid when research uses them.", "在一处查看您在各家医院的病历。由您决定还有谁可以阅读，知晓每一次查阅，用于研究时获得报酬。";
        sign_in: "Sign in", "登录";
        sign_in_lead: "For patients, doctors and hospital clerks.", "供患者、医生和医院工作人员使用。";
        login: "User name", "用户名";
        password: "Password", "密码";
        show: "Show", "显示";
        hide: "Hide", "隐藏";
        show_password: "Show password", "显示密码";
        hide_password: "Hide password", "隐藏密码";
        password_shown: "Your password is visible", "密码可见";
        password_hidden: "Your password is hidden", "密码已隐藏";
        signing_in: "Signing you in", "正在登录";
        wrong: "User name and password do not belong together.", "用户名与密码不匹配。";
        enter_login: "Enter your user name", "请输入用户名";
        enter_password: "Enter your password", "请输入密码";
        ended: "Your session has ended. Sign in again to go on.", "会话已结束，请重新登录。";
        signed_out: "You have signed out", "您已退出";
        signed_out_lead: "Close this window on a shared device.", "在公用设备上请关闭此窗口。";
        no_account: "No account yet?", "还没有账户？";
        register: "Register", "注册";
        with_key: "Hospitals, institutions, insurers, regulators and operators: sign in with your key", "医院、机构、保险公司、监管方和运营方：用密钥登录";
        key_title: "Sign in with your organisation's key", "用机构密钥登录";
        key_lead: "Your key stays in this browser. It signs a challenge here; only the signature is sent.", "密钥只保存在此浏览器中，并在本地签署质询；仅发送签名。";
        key_file: "Key file", "密钥文件";
        key_file_hint: "The file member.json or operator.json that your organisation keeps. It is read here and never uploaded.", "您的机构保管的 member.json 或 operator.json 文件。文件仅在本地读取，绝不上传。";
        key_needs_script: "Your key is used by this page's script, in your browser. Switch JavaScript on to sign in with a key.", "密钥由本页脚本在您的浏览器中使用。请启用 JavaScript 后再用密钥登录。";
        key_signing_in: "Signing the challenge", "正在签署质询";
        register_title: "Register as a patient or doctor", "注册为患者或医生";
        register_lead: "A node of the consortium confirms every registration before the account can be used.", "每一项注册须经联盟节点确认后方可使用。";
        i_am: "I am", "我是";
        a_patient: "a patient", "患者";
        a_doctor: "a doctor", "医生";
        real_name: "Full name, as on your identity document", "姓名（与证件一致）";
        identity_id: "Number of your identity document", "证件号码";
        identity_hint: "It finds your records at the hospitals. It is kept encrypted and never put on the ledger.", "用于在医院找到您的病历。加密保存，绝不上链。";
        choose_login: "Choose a user name", "设置用户名";
        choose_password: "Choose a password", "设置密码";
        required: "Enter: {field}", "请填写：{field}";
        password_short: "Choose a password of at least 12 characters", "请设置至少 12 个字符的密码";
        password_hint: "At least 12 characters. It also protects your signing keys: nobody can reset it for you.", "至少 12 个字符。它同时保护您的签名密钥，无人可以代为重置。";
        registering: "Registering you", "正在注册";
        registered: "You are registered", "注册成功";
        registered_lead: "A node of the consortium now confirms your registration. This usually takes less than a minute; then you can sign in.", "联盟节点正在确认您的注册，通常不到一分钟，之后即可登录。";
        patient_id: "Your patient ID", "您的患者编号";
        patient_id_hint: "Keep it. Together with an authorization code it opens one record to whoever you give both to.", "请妥善保存。与授权码一起出示，可让对方查看一份病历。";
        not_yet: "Your registration waits for its confirmation by the consortium, or has been suspended.", "您的注册正等待联盟确认，或已被暂停。";
        me: "Your account", "您的账户";
        me_lead: "This is the account you are signed in with.", "这是您当前登录的账户。";
        sessions: "Where you are signed in", "登录的会话";
        sessions_lead: "End a session that you do not know or no longer use. Nothing can be signed or opened with it from then on.", "请结束不认识或不再使用的会话。此后该会话无法签署或打开任何内容。";
        session_since: "Signed in {time}", "登录于 {time}";
        session_until: "Ends by itself {time}", "将于 {time} 自动结束";
        session_current: "This session", "当前会话";
        session_end: "End it", "结束";
        session_ended: "The session is ended.", "会话已结束。";
        sign_title: "Confirm and sign", "确认并签署";
        sign_lead: "Your key, which this browser holds, signs this command. Nothing happens before.", "此浏览器保存的密钥将签署该命令，签署之前不会生效。";
        sign: "Sign and submit", "签署并提交";
        signing: "Signing and waiting for the ledger", "正在签署并等待账本确认";
        no_key: "This browser does not hold your key. Sign in with your key again.", "此浏览器中没有您的密钥，请重新用密钥登录。";
    }
}
