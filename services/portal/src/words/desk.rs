//! A hospital's registration desk: enrolling patients, clerks, importing records.

words! {
    /// See [`super`].
    Desk {
        tab_desk: "Registration desk", "登记台";
        tab_import: "Import", "导入";
        tab_clerks: "Clerks", "工作人员";
        title: "Registration desk", "登记台";
        lead: "Enrol a patient who is here and has shown an identity document.", "为到场并出示证件的患者登记。";
        real_name: "Patient's full name, as on the document", "患者姓名（与证件一致）";
        identity_id: "Number of the identity document", "证件号码";
        identity_hint: "It finds the patient's records at every hospital. It is kept encrypted and never put on the ledger.", "用于在各医院找到该患者的病历。加密保存，绝不上链。";
        invite: "Make a registration code", "生成注册码";
        code_title: "Hand over this registration code", "请交付此注册码";
        code_lead: "{name} opens these pages on any device, follows “{link}” where one signs in, and chooses a user name and a password that nobody else knows.", "{name} 在任意设备上打开本网站，在登录页点击“{link}”，自行设置无人知晓的用户名和密码。";
        code: "Registration code", "注册码";
        code_until: "Good once, until", "仅可使用一次，有效期至";
        code_once: "The code is shown only now. Whoever has it can register in this name: hand it to nobody else. If it is lost, make another.", "注册码仅此时显示。持有者可用此姓名注册，请勿交给他人。如遗失请重新生成。";
        next_patient: "Enrol the next patient", "登记下一位患者";
        taken: "Somebody is registered with this number already", "此号码已注册";
        clerks: "Clerks of this hospital", "本院工作人员";
        clerks_lead: "A clerk enrols patients, writes and imports records, decides on requests and checks integrity, each with an own account. No clerk can open a record.", "工作人员使用各自的账户登记患者、书写和导入病历、审核请求并检查完整性，但不能打开病历。";
        invite_clerk: "Invite a clerk", "邀请工作人员";
        clerk_name: "Clerk's full name", "工作人员姓名";
        staff_number: "Staff number", "工号";
        no_clerks: "No clerks yet", "尚无工作人员";
        no_clerks_text: "Invite the first one below.", "请在下方邀请第一位。";
        since: "Since {day}", "自 {day} 起";
        ended: "Ended {day}", "已于 {day} 终止";
        end: "End", "终止";
        end_title: "End this clerk's account?", "终止该工作人员的账户？";
        end_text: "They are signed out everywhere at once and can not sign in again.", "该账户将立即从所有设备退出，且无法再次登录。";
        end_done: "The account is ended.", "账户已终止。";
        back_to_clerks: "Back to the clerks", "返回工作人员列表";
        import: "Import records", "导入病历";
        import_lead: "A FHIR R4 Bundle of one or more patients, as a file. Each encounter becomes a record. Importing the same file again doubles nothing.", "上传一份 FHIR R4 Bundle 文件，可含一名或多名患者。每次就诊成为一份病历。重复导入不会产生重复。";
        file: "File", "文件";
        file_hint: "JSON, at most 30 MB", "JSON 格式，最大 30 MB";
        file_missing: "Choose a file", "请选择文件";
        importing: "Taking in the records and waiting for the ledger", "正在导入病历并等待账本确认";
        registered: "Registered", "已登记";
        unchanged: "Already there", "已存在";
        waiting: "Waiting for enrolment", "等待患者注册";
        refused: "Refused", "被拒绝";
        element: "Part of the file", "文件中的部分";
        reason: "Why", "原因";
        import_done: "The file is taken in.", "文件已导入。";
        author: "Number of the doctor who saw the patient", "接诊医生编号";
        about_withheld: "What a record is about is shown to doctors alone.", "病历内容仅医生可见。";
        accept_title: "Register with a code", "凭注册码注册";
        accept_lead: "A hospital gave you a registration code. Choose how you will sign in.", "医院已向您提供注册码。请设置登录方式。";
        accept_code_hint: "24 digits and letters; spaces and hyphens do not matter", "24 位数字和字母，空格和连字符可忽略";
        accept_wrong: "No registration is waiting under this code. It counts once and for a week; ask the hospital for another.", "此注册码无效。注册码仅可使用一次，有效期一周，请向医院索取新的。";
        accept_ready: "Your account is ready", "您的账户已可使用";
        accept_ready_lead: "You can sign in now.", "现在即可登录。";
        have_code: "Register with a code from a hospital", "凭医院注册码注册";
    }
}
