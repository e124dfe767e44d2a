//! Applications, decisions, permissions.

words! {
    /// See [`super`].
    Authorization {
        requests: "Requests for your records", "您的授权请求";
        requests_lead: "Somebody asks to read a record of yours and pays you for it. The hospital has checked the request; nothing is shared unless you say yes.", "有机构请求阅读您的病历并支付报酬。医院已审核；未经您同意不会共享任何内容。";
        no_requests: "No requests are waiting", "没有待处理的请求";
        no_requests_text: "When a research institution or insurer asks for a record and the hospital agrees, the request appears here at once. Saying nothing means no.", "当机构提出请求且医院同意后，请求会立即出现在这里。不作答即为不同意。";
        request_title: "{who} asks for one record", "{who}请求查阅一份病历";
        somebody: "An institution", "某机构";
        request: "Request", "请求";
        who: "Who asks", "请求方";
        why: "Why", "用途";
        statement: "In their words", "对方说明";
        what: "What", "内容";
        what_text: "One record of yours at {hospital}, without name, numbers and address", "您在{hospital}的一份病历（不含姓名、号码和地址）";
        until: "They may read it until", "可阅读至";
        what_text_others: "One record at {hospital}, without name, numbers and address", "{hospital}的一份病历（不含姓名、号码和地址）";
        price_others: "The patient receives", "患者将获得";
        price: "You receive", "您将获得";
        deadline: "Answer by", "答复期限";
        status: "Status", "状态";
        summary: "{who} would like to read one record from {hospital} for {purpose}. If you agree they can read it until {until}, and you receive {price}. You can end it at any time.", "{who}希望出于{purpose}目的阅读您在{hospital}的一份病历。若您同意，对方可阅读至{until}，您将获得{price}。您可随时终止。";
        approve: "Agree and share", "同意并共享";
        approving: "Recording your decision", "正在记录您的决定";
        refuse: "Refuse", "拒绝";
        refuse_title: "Refuse this request?", "拒绝该请求？";
        refuse_lead: "They get nothing and their money back. You may say why; they see only the reason you choose here.", "对方将得不到任何内容并收回款项。您可以说明原因，对方仅看到所选原因。";
        decided: "Your decision is on the ledger.", "您的决定已记入账本。";
        history: "Permissions you gave", "您给予的授权";
        history_lead: "Every request that reached you, and what became of it. You can end a permission at any time; the next read is refused.", "所有送达您的请求及其结果。您可随时终止授权，之后的读取将被拒绝。";
        no_history: "No requests so far", "暂无请求记录";
        no_history_text: "Requests that you answered, and permissions that you gave, are kept here.", "您答复过的请求和给予的授权会保存在这里。";
        end: "End this permission", "终止授权";
        end_ask: "End this permission?", "终止该授权？";
        end_text: "The next read is refused. What was read before cannot be taken back, and your reward stays yours.", "之后的读取将被拒绝。已读取的内容无法收回，您的报酬仍归您所有。";
        transactions: "On the ledger", "账本记录";
        step: "Step {number}", "第 {number} 步";
    }
}
